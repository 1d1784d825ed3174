"""The shop night by night, with short looks: what the nightly job does of scoring, shadow and review."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from ml_pipeline.nights import Night
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.score import score
from ml_pipeline.operations.shadow import score_in_the_shadow
from ml_pipeline.operations.shadow_review import review_shadow
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import open_test_site

# The last night with orders; outcomes land until SHOP_LANDED_UNTIL.
LAST_ORDERS = date(2024, 5, 24)


def with_short_looks(site: Site, *, probation_nights: int = 8) -> Site:
    """``site`` with looks of five nights."""
    path = site.sql.folder / "project.yml"
    added = f"serving: {{shadow_nights: 5, probation_nights: {probation_nights}}}\n"
    path.write_text(path.read_text(encoding="utf-8") + added, encoding="utf-8")
    return open_test_site(path.parent, site.data)


def run_nights(site: Site, *runs: Sequence[Night]) -> dict[int, list[tuple[str, str, int]]]:
    """Score and review each of ``runs``; role, verdict and matured nights of each night's review, by day."""
    found = {}
    for nights in runs:
        if planned := [night for night in nights if night <= LAST_ORDERS]:
            score(site, planned)
            score_in_the_shadow(site, planned)
        reviewed = review_shadow(site, nights).rows_by_night
        for night in nights:
            rows = reviewed.get(night, [])
            found[night.day] = [(str(row["role"]), str(row["verdict"]), int(str(row["nights"]))) for row in rows]
    return found


def kinds(site: Site) -> list[tuple[Any, Any, Any]]:
    """Kind, model and night of every entry of the promotions that a review made."""
    return [
        (entry["kind"], entry["challenger"], entry["judged_on"])
        for entry in site.ledger(PROMOTIONS).entries()
        if entry.get("kind") in {"second_look", "probation", "rollback"}
    ]

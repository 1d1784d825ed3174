from datetime import date

import pyarrow as pa
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.decide import DECISIONS, decide_retraining, newest_decision, stale_decisions
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.watch import DRIFT
from ml_pipeline_tests.conftest import SHOP_SCORED

LATE = nights_between(date(2024, 5, 17), date(2024, 5, 22))


def drifted_nights(site: Site, shares: dict[date, float]) -> None:
    """Publish drift of ten features for each night, of which the given share drifted."""
    schema = site.tables.schema(DRIFT)
    rows = [
        {"score_date": night, "feature": f"f{number}", "model_version": current_champion(site), "window_nights": 7,
         "rows": 280, "missing_share": 0.0, "psi": 1.0, "is_drifted": number < share * 10, "evidently_psi": None}
        for night, share in shares.items() for number in range(10)
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=schema)
    site.tables.publish(DRIFT, table, {night: NightInputs("", {}) for night in shares}, key=["feature"])


def test_calm_nights_ask_for_nothing_and_say_why(scored_shop: Site) -> None:
    rows = scored_shop.tables.read(DECISIONS, SHOP_SCORED).to_pylist()
    drift = scored_shop.tables.read(DRIFT, SHOP_SCORED).to_pandas()
    shares = drift.groupby("score_date")["is_drifted"].mean()
    assert [row["score_date"] for row in rows] == list(SHOP_SCORED)
    assert all(row["drifted_share"] == pytest.approx(shares[row["score_date"]]) for row in rows)
    assert all(row["verdict"] == "nothing" and "of the features drifted on" in row["reasons"] for row in rows)


def test_persistent_drift_asks_for_one_retraining_under_one_name(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    drifted_nights(site, {LATE[0]: 0.1} | dict.fromkeys(LATE[1:], 0.9))
    decide_retraining(site, LATE)
    rows = site.tables.read(DECISIONS, LATE).to_pylist()
    assert [row["verdict"] for row in rows] == ["nothing"] * 3 + ["retrain"] * 3
    assert {row["evidence_id"] for row in rows[1:]} == {f"{current_champion(site)}_2024-05-18"}
    assert newest_decision(site) == rows[-1]


def test_deciding_again_commits_nothing_and_new_drift_decides_again(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    assert decide_retraining(site, SHOP_SCORED).changed == ()
    assert stale_decisions(site, SHOP_SCORED) == []
    drifted_nights(site, dict.fromkeys(SHOP_SCORED[5:], 0.9))
    assert stale_decisions(site, SHOP_SCORED) == list(SHOP_SCORED[5:])


def test_a_decision_does_not_look_at_later_nights(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    drifted_nights(site, dict.fromkeys(LATE, 0.9))
    assert decide_retraining(site, SHOP_SCORED).changed == ()


def test_a_night_that_was_not_watched_cannot_be_decided(scored_shop: Site) -> None:
    with pytest.raises(LookupError, match="monitoring has not been built for 1 of the nights"):
        decide_retraining(scored_shop, [LATE[0]])


def test_before_the_first_decision_there_is_none(built_shop: Site) -> None:
    assert newest_decision(built_shop) is None

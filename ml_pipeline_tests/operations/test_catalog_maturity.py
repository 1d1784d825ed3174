from datetime import date

import duckdb

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.maturity import judge_maturity
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED, open_test_site

Row = tuple[date, str, int, int, float, int]


def shown(site: Site) -> dict[Night, Row]:
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select score_date, state, rows_scored, rows_known, coverage, rows_reopened from label_maturity"
        ).fetchall()
    return {row[0]: row for row in rows}


def judged(site: Site, tonight: Night) -> dict[Night, Row]:
    """The same by the rule itself, from the tables; reopened: other than on the night that measured it first."""
    found = {}
    for night in SHOP_SCORED:
        scores = site.tables.read("scores", [night])
        by_then = {}
        for last in (nights_back(night, -site.project.label.horizon_nights), tonight):
            known = [past for past in site.tables.published("labels") if past <= last]
            by_then[last] = match_labels(scores, site.tables.read("labels", known), site.project.entity_key)
        measured, labels = by_then.values()
        one = judge_maturity(site.project.label, night, labels, tonight=tonight, measured=measured)
        found[night] = (night, one.state, one.rows, one.known_rows, one.coverage, one.reopened_rows)
    return found


def test_the_view_says_what_the_rule_says_of_matured_nights(scored_shop_copy: Site) -> None:
    """Every label of the shop is known; one is corrected by hand three weeks later, and its night opens again."""
    site, last = scored_shop_copy, max(scored_shop_copy.tables.published("labels"))
    assert shown(site) == judged(site, last)
    assert {row[1] for row in shown(site).values()} == {"matured"}
    night = SHOP_SCORED[0]
    rows = site.tables.read("labels", [last])
    known = site.tables.read("labels", site.tables.published("labels"))  # type: ignore[arg-type]
    (first, *_) = [row for row in known.to_pylist() if row["labelled_date"] == night]
    corrected = rows.slice(0, 0).from_pylist(
        [*rows.to_pylist(), {**first, SCORE_DATE: last, "label": not first["label"]}], schema=rows.schema
    )
    before = shown(site)[night][5]
    site.tables.publish(
        "labels", corrected, {last: NightInputs("", {})}, key=[*site.project.entity_key, "labelled_date"]
    )
    publish_catalog(site)
    assert shown(site)[night][5] == before + 1
    assert shown(site) == judged(site, last)


def test_nights_whose_labels_have_not_landed_are_pending(scored_shop_copy: Site) -> None:
    site, last = scored_shop_copy, SHOP_SCORED[-1]
    empty = site.tables.schema("labels").empty_table()
    later = [night for night in site.tables.published("labels") if night > last]
    site.tables.publish("labels", empty, {night: NightInputs("", {}) for night in later}, key=["order_id"])
    publish_catalog(site)
    assert shown(site) == judged(site, later[-1])
    assert shown(site)[last][1] == "pending"


def test_before_anything_is_scored_there_are_no_nights(shop_site: Site) -> None:
    site = open_test_site(shop_site.sql.folder, shop_site.data)
    publish_catalog(site)
    assert shown(site) == {}

from datetime import date, timedelta

import duckdb
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.late_arrivals import measure_late_arrivals
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED, open_test_site

MART = """-- One row per scored order whose outcome is known.
select scores.score_date, scores.order_id, scores.probability, labels.label, labels.known_on, features.baseline_return_rate
from scores
inner join labels on scores.score_date = labels.labelled_date and scores.order_id = labels.order_id
left join features on scores.score_date = features.score_date and scores.order_id = features.order_id
"""
VIEWS = {
    "scores", "score_publications", "score_revisions", "score_restatements", "shadow_scores", "labels", "label_maturity", "orders", "returns",
    "products", "performance", "calibration", "drift", "retraining_decisions", "features", "quarantine", "promotions",
    "late_arrivals", "restatements", "backtest", "expectations", "shadow_review", "slice_performance", "estimates",
    "prediction_drift", "drift_agreement", "replay",
}  # fmt: skip


def with_mart(site: Site) -> Site:
    folder = site.sql.folder / "marts"
    folder.mkdir(exist_ok=True)
    (folder / "scored_outcomes.sql").write_text(MART, encoding="utf-8")
    return open_test_site(site.sql.folder, site.data)


def ask(site: Site, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def test_every_promised_view_is_there_with_a_comment_and_can_be_read(scored_shop: Site) -> None:
    found = dict(ask(scored_shop, "select view_name, comment from duckdb_views() where not internal"))
    assert set(found) == VIEWS
    assert all(found.values())
    bare = ask(
        scored_shop, "select table_name, column_name from duckdb_columns() where not internal and comment is null"
    )  # fmt: skip
    assert bare == []
    counts = {name: ask(scored_shop, f"select count(*) from {name}")[0][0] for name in sorted(VIEWS)}
    assert (counts["scores"], counts["score_revisions"], counts["promotions"], counts["quarantine"]) == (320, 320, 1, 2)
    assert counts["performance"] == 48
    assert counts["drift"] == 8 * 12
    assert counts["retraining_decisions"] == 8


def test_a_corrected_outcome_is_shown_once_as_last_known(scored_shop: Site) -> None:
    ((rows, orders),) = ask(scored_shop, "select count(*), count(distinct order_id) from returns")
    landed = scored_shop.tables.read("raw/returns", list(scored_shop.tables.published("raw/returns")))
    assert rows == orders < landed.num_rows
    frame = landed.to_pandas().sort_values(["score_date", "known_at"]).drop_duplicates("order_id", keep="last")
    assert ask(scored_shop, "select sum(is_sent_back::int) from returns") == [(int(frame["is_sent_back"].sum()),)]
    assert ask(scored_shop, "select count(*) from labels") == [(orders,)]


def test_what_came_late_and_what_it_would_have_changed_are_shown(scored_shop_copy: Site) -> None:
    """The shop corrects two returns on 3 April and one on each of 6 and 7 April, all five nights after the wrong one."""
    site = scored_shop_copy
    measure_late_arrivals(site, nights_between(date(2024, 4, 3), date(2024, 4, 7)))
    late = "select score_date::varchar, source, kind, nights_late, rows, nights_changed from late_arrivals order by 1"
    assert ask(site, late) == [
        ("2024-04-03", "returns", "correction", 5, 2, 5),
        ("2024-04-06", "returns", "correction", 5, 1, 5),
        ("2024-04-07", "returns", "correction", 5, 1, 5),
    ]
    assert ask(site, "select count(*), count(distinct affected_night) from restatements") == [(15, 9)]
    assert ask(site, "select bool_and(content_hash <> content_hash_in_hindsight) from restatements") == [(True,)]


def test_nothing_changed_is_not_rebuilt(scored_shop_copy: Site) -> None:
    assert not publish_catalog(scored_shop_copy)
    score(scored_shop_copy, [date(2024, 5, 13)])
    assert not publish_catalog(scored_shop_copy), "scoring has published it already"
    assert ask(scored_shop_copy, "select max(score_date)::varchar from scores") == [("2024-05-13",)]


def test_what_was_said_before_can_still_be_read(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, SHOP_SCORED[0]
    rows = site.tables.read("scores", [night])
    other = rows.set_column(rows.schema.get_field_index("probability"), "probability", [[0.5] * rows.num_rows])
    site.tables.publish("scores", other, {night: NightInputs("", {})}, key=["order_id"])
    publish_catalog(site)
    said = ask(
        site,
        f"select revision, count(*), min(probability) = 0.5 from score_revisions where score_date = '{night}' group by 1 order by 1",
    )
    assert [(count, is_new) for _, count, is_new in said] == [(40, False), (40, True)]
    assert ask(site, f"select distinct probability from scores where score_date = '{night}'") == [(0.5,)]


def test_what_was_said_at_an_instant_can_be_asked_also_of_a_night_that_was_published_empty(
    scored_shop_copy: Site,
) -> None:
    site, (restated, emptied) = scored_shop_copy, SHOP_SCORED[:2]
    asked = "select score_date, order_id, probability from {} order by all"
    before = ask(site, asked.format("scores"))
    rows = site.tables.read("scores", [restated])
    other = rows.set_column(rows.schema.get_field_index("probability"), "probability", [[0.5] * rows.num_rows])
    site.tables.publish("scores", other, {restated: NightInputs("", {})}, key=["order_id"])
    site.tables.publish("scores", other.slice(0, 0), {emptied: NightInputs("", {})}, key=["order_id"])
    publish_catalog(site)
    instants = sorted({each.published_at for each in site.tables.publications("scores")})
    assert len(instants) == 3
    said = [ask(site, asked.format(f"scores_as_published_on('{instant.isoformat()}')")) for instant in instants]
    assert said[0] == before
    assert said[1] == sorted([row for row in before if row[0] != restated] + [
        (restated, row["order_id"], 0.5) for row in rows.to_pylist()
    ])  # fmt: skip
    assert said[2] == [row for row in said[1] if row[0] != emptied] == ask(site, asked.format("scores"))
    just_before = instants[0] - timedelta(milliseconds=1)
    assert ask(site, asked.format(f"scores_as_published_on('{just_before.isoformat()}')")) == []
    assert ask(site, asked.format(f"scores_on('{restated}')")) == [row for row in said[1] if row[0] == restated]
    replaced = (
        "select score_date, rows, replaced_at is null from score_publications where score_date <= '{}' order by all"
    )
    assert ask(site, replaced.format(emptied)) == [
        (restated, 40, False), (restated, 40, True), (emptied, 0, True), (emptied, 40, False),
    ]  # fmt: skip


def test_a_mart_reads_the_views_before_it(scored_shop_copy: Site) -> None:
    site = with_mart(scored_shop_copy)
    assert publish_catalog(site)
    assert ask(site, "select count(*), count(label), count(baseline_return_rate) from scored_outcomes") == [
        (320, 320, 320)
    ]


@pytest.mark.parametrize("stage", ["shop_site", "landed_shop_copy"])
def test_a_mart_does_not_stop_a_catalog_of_which_little_is_published_yet(
    request: pytest.FixtureRequest, stage: str
) -> None:
    site = with_mart(request.getfixturevalue(stage))
    publish_catalog(site)
    assert ask(site, "select count(*) from scored_outcomes") == [(0,)]


def test_a_champion_scores_on_after_a_feature_change_although_a_mart_reads_the_features(scored_shop_copy: Site) -> None:
    """The present feature set has no table yet: only the champion's has."""
    site = with_mart(scored_shop_copy)
    path = site.sql.folder / "staging" / "stg_returns.sql"
    path.write_text(path.read_text(encoding="utf-8").replace("score_date - 7", "score_date - 5"), encoding="utf-8")
    changed = open_test_site(site.sql.folder, site.data)
    nights = nights_between(date(2024, 5, 13), date(2024, 5, 14))
    assert score(changed, nights).published.changed == nights
    assert ask(changed, "select count(*) from scores") == [(400,)]


def test_an_installation_in_which_nothing_happened_has_every_view_and_no_row(shop_site: Site) -> None:
    publish_catalog(shop_site)
    for name in sorted(VIEWS):
        assert ask(shop_site, f"select count(*) from {name}") == [(0,)], name

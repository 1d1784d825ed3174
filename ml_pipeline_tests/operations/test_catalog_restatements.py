from typing import Any

import duckdb

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED

NIGHT = SHOP_SCORED[2]


def ask(site: Site, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def test_what_was_said_when_and_what_a_restatement_changed_row_by_row(scored_shop_copy: Site) -> None:
    """One row is said otherwise, one is dropped and one is new; then all is as it was."""
    site = scored_shop_copy
    rows = site.tables.read(SCORES, [NIGHT])
    probability = [0.123, *rows["probability"].to_pylist()[1:]]
    other = rows.set_column(rows.schema.get_field_index("probability"), "probability", [probability])
    renamed = [*rows["order_id"].to_pylist()[:-1], "NEW"]
    other = other.set_column(other.schema.get_field_index("order_id"), "order_id", [renamed])
    for content in (other, rows):
        site.tables.publish(SCORES, content, {NIGHT: NightInputs("", {})}, key=["order_id"])
    publish_catalog(site)
    said = ask(
        site, f"select distinct revision, published_at from score_revisions where score_date = '{NIGHT}' order by 1"
    )
    assert len(said) == 3
    moments = [moment for _, moment in said]
    assert moments == [each.published_at for each in site.tables.publications(SCORES) if each.night == NIGHT]
    assert moments == sorted(moments)
    changes = ask(
        site,
        "select revision, revision_before, order_id, change, probability_before, probability_after from score_restatements "
        f"where score_date = '{NIGHT}' order by 1, 3",
    )
    first, last = rows["order_id"][0].as_py(), rows["order_id"][-1].as_py()
    old, end = rows["probability"][0].as_py(), rows["probability"][-1].as_py()
    (one, two, three) = [revision for revision, _ in said]
    assert len(changes) == 6
    assert set(changes) == {
        (two, one, first, "changed", old, 0.123), (two, one, last, "removed", end, None), (two, one, "NEW", "added", None, end),
        (three, two, first, "changed", 0.123, old), (three, two, last, "added", None, end),
        (three, two, "NEW", "removed", end, None),
    }  # fmt: skip
    assert ask(site, f"select count(*) from score_restatements where score_date <> '{NIGHT}'") == [(0,)]

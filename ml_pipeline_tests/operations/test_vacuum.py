"""What a vacuum takes, and what it must leave: everything that anybody can still ask for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pytest

from ml_pipeline.io.locks import shared_lock
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.explain_score import explain_score
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.reproduce import reproduce_bundle
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.vacuum import VACUUMS, plan_vacuum, vacuum
from ml_pipeline.operations.verify import verify
from ml_pipeline_tests.conftest import SHOP_SCORED

NIGHT = SHOP_SCORED[2]
DRIFT = "monitoring/drift"
ASKED = "select feature, psi from drift order by all"


def replaced(site: Site, table: str, column: str, key: list[str]) -> set[Path]:
    """Publish NIGHT of ``table`` once more with another content; returns the files that were replaced."""
    before = set(site.tables.files(table))
    rows = site.tables.read(table, [NIGHT])
    place = rows.schema.get_field_index(column)
    other = rows.set_column(place, rows.schema.field(place), pc.add(rows.column(place), 1))
    facts = site.tables.published(table, [NIGHT])[NIGHT].facts
    site.tables.publish(table, other, {NIGHT: NightInputs("another", facts)}, key=key)
    gone = before - set(site.tables.files(table))
    assert gone
    return gone


@pytest.fixture
def site(scored_shop_copy: Site) -> Site:
    return scored_shop_copy


def everything(site: Site) -> set[Path]:
    return {path for path in site.data.rglob("*") if path.is_file() and not {"locks", "ledgers"} & set(path.parts)}


def later(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def test_only_what_nobody_can_ask_for_any_more_goes_and_only_after_the_retention(site: Site) -> None:
    version = str(current_champion(site))
    kept = replaced(site, features_table(site.sql), "quantity", ["order_id"]) | replaced(
        site, SCORES, "rank", ["order_id"]
    )
    expected = replaced(site, DRIFT, "psi", ["feature"])
    aside, lost = site.data / ".views.sql.4194303.aside", min(expected).with_name("part-1.parquet")
    for path in (aside, lost):
        path.write_text("half", encoding="utf-8")
    publish_catalog(site)
    before, wanted = everything(site), {aside, lost, *expected}
    plan = plan_vacuum(site, now=later(8))
    assert everything(site) == before, "a plan changes nothing"
    assert {each.path for each in plan.removable} == wanted
    assert {each.path for each in plan_vacuum(site, now=later(6)).removable} == {aside, lost}
    done = vacuum(site, reason="a year of drift was measured again", now=later(8))
    assert ({each.path for each in done.removable}, done.is_whole) == (wanted, True)
    assert before - everything(site) == wanted
    assert kept <= everything(site)
    print(f"vacuum: {len(before)} files / {len((before - wanted) - everything(site))} removed that were wanted")
    (entry,) = site.ledger(VACUUMS).entries()
    assert (entry["reason"], entry["retention_days"]) == ("a year of drift was measured again", 7)
    assert {site.data / name for name in entry["files"]} == wanted
    assert verify(site).damages == ()
    assert reproduce_bundle(site, version).is_reproduced
    order = site.tables.read(SCORES, [SHOP_SCORED[0]]).column("order_id")[0].as_py()
    assert explain_score(site, SHOP_SCORED[0], {"order_id": order}).is_exact
    assert plan_vacuum(site, now=later(8)).removable == ()


def test_why_files_stay_is_told_and_all_files_of_tables_are_accounted_for(site: Site) -> None:
    replaced(site, features_table(site.sql), "quantity", ["order_id"])
    replaced(site, SCORES, "rank", ["order_id"])
    replaced(site, DRIFT, "psi", ["feature"])
    files = [path for table in site.tables.tables() for _, path in site.tables.every_file(table)]
    for days in (1, 8):
        plan = plan_vacuum(site, now=later(days))
        assert sum(kept.files for kept in plan.kept) + len(plan.removable) == len(files)
        sizes = sum(kept.size_bytes for kept in plan.kept) + sum(each.size_bytes for each in plan.removable)
        assert sizes == sum(path.stat().st_size for path in files)
    reasons = {kept.reason.partition(":")[0] for kept in plan.kept}
    assert reasons >= {"live", "every revision of what was said is kept"}
    assert "a training or a published night was made from it and can be made again" in reasons


def test_a_reader_of_yesterdays_catalog_keeps_its_files_for_the_retention(site: Site) -> None:
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as session:
        before = session.sql(ASKED).fetchall()
        replaced(site, DRIFT, "psi", ["feature"])
        publish_catalog(site)
        vacuum(site, reason="tried at once", now=later(1))
        assert session.sql(ASKED).fetchall() == before
        assert site.ledger(VACUUMS).entries() == []
    vacuum(site, reason="a week has gone by", now=later(8))
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as session:
        assert session.sql(ASKED).fetchall() != before


def test_what_the_catalog_names_stays_also_where_it_lags_behind(site: Site) -> None:
    stale = replaced(site, DRIFT, "psi", ["feature"])
    assert not {each.path for each in plan_vacuum(site, now=later(30)).removable} & stale
    publish_catalog(site)
    assert {each.path for each in plan_vacuum(site, now=later(30)).removable} == stale


def test_beside_somebody_who_publishes_no_table_is_touched(site: Site) -> None:
    replaced(site, DRIFT, "psi", ["feature"])
    publish_catalog(site)
    before = everything(site)
    with shared_lock(site.tables.publishing_lock):
        found = vacuum(site, reason="in the middle of it", now=later(30))
    assert (found.is_whole, found.removable, everything(site)) == (False, (), before)


def test_a_file_that_is_damaged_after_a_vacuum_is_still_named(site: Site) -> None:
    (gone, *_) = replaced(site, DRIFT, "psi", ["feature"])
    publish_catalog(site)
    vacuum(site, reason="a week has gone by", now=later(8))
    gone.parent.mkdir(exist_ok=True)
    gone.write_bytes(b"something else")
    live = site.tables.files(SCORES)[0]
    live.unlink()
    assert {damage.path for damage in verify(site).damages} == {gone, live}


def test_no_reason_and_a_retention_of_hours_are_refused(site: Site) -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        vacuum(site, reason=" ", now=later(30))
    with pytest.raises(ValueError, match="too short"):
        plan_vacuum(site, now=later(30), retention=timedelta(hours=23))

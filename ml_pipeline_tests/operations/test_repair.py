import threading
import time
from datetime import date

import duckdb
import pytest

from ml_pipeline.contracts.serving import ServingPolicy
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.repair import REPAIRS, repair_nights, rescore_stale, restore_revision
from ml_pipeline.operations.rollback import nights_scored_by
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.stale_scores import explain_stale, stale_scores
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.second_model import promoted, second_version

NEXT = nights_between(date(2024, 5, 13), date(2024, 5, 15))


def test_nights_of_a_withdrawn_model_are_published_again_by_the_champion_that_holds(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first)
    promoted(site, second, "2024-05-13")
    score(site, NEXT)
    assert nights_scored_by(site, second) == NEXT
    promoted(site, first, "2024-05-16", withdrawn=[second])
    with pytest.raises(ValueError, match="needs a reason"):
        repair_nights(site, NEXT, reason="")
    before = site.tables.version(SCORES)
    done = repair_nights(site, NEXT, reason="it was trained on a broken source")
    assert (done.published.version, done.published.changed) == (before + 1, NEXT)
    rows = site.tables.read(SCORES, NEXT)
    assert set(rows["model_version"].to_pylist()) == {first}
    assert set(rows["backfill_policy"].to_pylist()) == {"current"}
    assert nights_scored_by(site, second) == ()
    (entry,) = site.ledger(REPAIRS).entries()
    assert entry["changed"] == [str(night) for night in NEXT]
    # As of the night the withdrawn model is still their champion; nobody asked for it back.
    assert stale_scores(site, NEXT) == []
    again = score(site, NEXT)
    assert again.published.changed == ()
    assert again.settled[NEXT[0]] == "published under policy current, this run has as_of"
    assert repair_nights(site, NEXT, reason="once more").published.changed == ()
    assert score(site, NEXT, replaces=True).published.changed == NEXT


def test_scores_go_back_to_an_earlier_revision_while_they_are_read(scored_shop_copy: Site) -> None:
    """Nothing is computed, every reader sees one revision or the other, and it takes less than five seconds."""
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    then, content = site.tables.version(SCORES), site.tables.published(SCORES)
    old = site.tables.read(SCORES, SHOP_SCORED)
    second = second_version(site, first)
    score(site, SHOP_SCORED, policy=ServingPolicy("pinned", second), replaces=True)
    (site.models / first / "model.txt").unlink()  # whoever computes now will fail
    stop, seen, broken = threading.Event(), set[tuple[int, int, str]](), []

    def read() -> None:
        while not stop.is_set():
            try:
                with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
                    sql = (
                        "select count(*), count(distinct order_id), string_agg(distinct model_version, ',') from scores"
                    )
                    seen.add(analyst.sql(sql).fetchall()[0])
            except duckdb.Error as error:
                broken.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    began = time.monotonic()
    result = restore_revision(site, SHOP_SCORED, then, reason="the new threshold was wrong")
    seconds = time.monotonic() - began
    time.sleep(0.2)
    stop.set()
    reader.join()
    print(f"restored {len(result.changed)} nights in {seconds:.2f} s beside a reader: {len(broken)} errors")
    assert seconds < 5
    assert broken == []
    assert seen <= {(320, 320, first), (320, 320, second)} and (320, 320, first) in seen
    assert site.tables.read(SCORES, SHOP_SCORED).equals(old)
    assert site.tables.published(SCORES) == content
    again = restore_revision(site, SHOP_SCORED, then, reason="once more")
    assert (again.changed, again.version) == ((), result.version)


def test_a_restored_night_stands_until_somebody_asks_for_another_answer(scored_shop_copy: Site) -> None:
    site, first, night = scored_shop_copy, str(current_champion(scored_shop_copy)), SHOP_SCORED[0]
    then = site.tables.version(SCORES)
    rows = site.tables.read("raw/orders", [night])
    changed = rows.set_column(
        rows.schema.get_field_index("quantity"), "quantity", [[1 + n % 5 for n in range(rows.num_rows)]]
    )
    site.tables.publish("raw/orders", changed, {night: NightInputs("", {})}, key=["order_id", "known_at"])
    stale = explain_stale(site, SHOP_SCORED)  # the orders of a night are opened by the two nights after it too
    assert [one.night for one in stale] == list(SHOP_SCORED[:3])
    assert {one.reasons for one in stale} == {("landed data: its features have to be built again",)}
    (done,) = rescore_stale(site, SHOP_SCORED)
    assert done.published.changed == (night,)
    assert rescore_stale(site, SHOP_SCORED) == []
    restore_revision(site, [night], then, reason="the delivery was wrong")
    (one,) = explain_stale(site, SHOP_SCORED)
    assert one.reasons == ("features: their content is another than it was scored from",)
    assert one.settled == f"restored to revision {then}: the delivery was wrong"
    assert stale_scores(site, SHOP_SCORED) == rescore_stale(site, SHOP_SCORED) == []
    assert score(site, SHOP_SCORED).published.changed == ()
    assert score(site, SHOP_SCORED, replaces=True).published.changed == (night,)
    assert first == current_champion(site)


def test_what_was_never_said_cannot_be_restored(scored_shop: Site) -> None:
    newest = scored_shop.tables.version(SCORES)
    with pytest.raises(ValueError, match="needs a reason"):
        restore_revision(scored_shop, SHOP_SCORED, newest, reason="")
    for revision in (-1, newest + 1):
        with pytest.raises(ValueError, match=f"revisions 0 to {newest}, not {revision}"):
            restore_revision(scored_shop, SHOP_SCORED, revision, reason="a test")
    with pytest.raises(LookupError, match="had not been published by revision"):
        restore_revision(scored_shop, [*SHOP_SCORED, NEXT[0]], newest, reason="a test")

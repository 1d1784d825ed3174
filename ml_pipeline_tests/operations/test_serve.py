import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pytest

from ml_pipeline.contracts.serving import Served, ServingPolicy
from ml_pipeline.domain.serving import baseline_answer
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.reproduce import reproduce_night
from ml_pipeline.operations.score import SCORES, ScoreAuditError, score
from ml_pipeline.operations.serve import LadderExhaustedError
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.stale_scores import explain_stale, stale_scores
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.second_model import constant_answer, other_golden_rows, promoted, second_version

NEXT = nights_between(date(2024, 5, 13), date(2024, 5, 15))
Damage = Callable[[Path], None]


def byte_flipped(folder: Path) -> None:
    content = bytearray((folder / "model.txt").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.txt").write_bytes(content)


def file_missing(folder: Path) -> None:
    (folder / "calibrator.json").unlink()


def all_gone(folder: Path) -> None:
    shutil.rmtree(folder)


def served(site: Site, nights: tuple[date, ...] = NEXT) -> set[tuple[str, str, str]]:
    columns = ["served_by", "model_version", "backfill_policy"]
    rows = site.tables.read(SCORES, nights, columns).to_pylist()
    assert len(rows) == 40 * len(nights)
    return {(row["served_by"], row["model_version"], row["backfill_policy"]) for row in rows}


def alerts(site: Site) -> list[str]:
    return [f"{entry['title']}, {entry['night']}: {entry['detail']}" for entry in site.ledger("alerts").entries()]


def test_a_damaged_champion_is_replaced_by_the_previous_one_and_a_healthy_run_replaces_that(
    scored_shop_copy: Site, tmp_path: Path
) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first)
    promoted(site, second, "2024-05-13")
    shutil.copytree(site.models / second, tmp_path / "whole")
    byte_flipped(site.models / second)
    outcome = score(site, NEXT)
    assert served(site) == {("previous_champion", first, "as_of")}
    assert set(outcome.served_by_night.values()) == {Served("previous_champion", first, "as_of")}
    (alert,) = alerts(site)
    assert alert.startswith(f"champion {second} could not score, 2024-05-13 to 2024-05-15: scored by previous_champion")
    assert reproduce_night(site, NEXT[0]).is_reproduced
    version = site.tables.version(SCORES)
    assert score(site, NEXT).published.changed == ()  # still damaged: nothing new to say, and no alert more
    assert (site.tables.version(SCORES), len(alerts(site)), stale_scores(site, NEXT)) == (version, 1, [])
    promoted(site, first, "2024-05-15")  # the same model and features, but now it is no stopgap
    assert score(site, NEXT).published.changed == NEXT[2:]
    assert served(site, NEXT[2:]) == {("champion", first, "as_of")}
    promoted(site, second, "2024-05-15")

    shutil.rmtree(site.models / second)
    shutil.copytree(tmp_path / "whole", site.models / second)
    (why, *_) = explain_stale(site, NEXT)
    assert why.reasons == (f"rung: previous_champion {first} stood in for {second}",)
    assert score(site, NEXT).published.changed == NEXT
    assert served(site) == {("champion", second, "as_of")}
    assert len(alerts(site)) == 1  # healthy runs raise none


def test_a_bundle_that_lacks_a_file_or_is_not_there_at_all_keeps_nobody_from_an_answer(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    for damage, night in ((file_missing, NEXT[0]), (all_gone, NEXT[1])):
        second = second_version(site, first)
        promoted(site, second, str(night))
        damage(site.models / second)
        score(site, [night])
        assert served(site, (night,)) == {("previous_champion", first, "as_of")}
        with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
            count = analyst.sql(f"select count(*) from scores where score_date = '{night}'").fetchall()
            assert (count, analyst.sql("select count(*) > 0 from features").fetchall()) == ([(40,)], [(True,)])
        shutil.rmtree(site.models / second, ignore_errors=True)


@pytest.mark.parametrize("change", [other_golden_rows, constant_answer])
def test_a_champion_of_right_hashes_that_fails_its_golden_rows_or_the_audit_does_not_serve(
    scored_shop_copy: Site, change: Callable[[dict[str, bytes]], dict[str, bytes]]
) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first, change)
    promoted(site, second, "2024-05-13")
    outcome = score(site, NEXT)
    assert served(site) == {("previous_champion", first, "as_of")}
    (fall,) = outcome.falls
    expected = "golden rows are not reproduced" if change is other_golden_rows else "every probability is the same"
    assert expected in fall.reason
    assert (fall.version, fall.nights) == (second, NEXT)
    assert [(audit.rows, audit.broken) for audit in outcome.audits] == [(40, ())] * 3
    version = site.tables.version(SCORES)
    assert score(site, NEXT).published.changed == ()
    assert (site.tables.version(SCORES), len(alerts(site))) == (version, 1)


def test_without_any_whole_model_the_bundled_rates_answer(scored_shop_copy: Site) -> None:
    site, champion = scored_shop_copy, str(current_champion(scored_shop_copy))
    rates = read_bundle(site.models, champion).table("baseline.parquet")
    byte_flipped(site.models / champion)
    outcome = score(site, (*SHOP_SCORED, *NEXT))
    assert outcome.published.changed == NEXT  # what the champion said while it was whole stays
    assert served(site) == {("baseline", champion, "as_of")}
    assert served(site, SHOP_SCORED) == {("champion", champion, "as_of")}
    rows = site.tables.read(SCORES, NEXT)
    spine = (
        site.runner()
        .build("spine", NEXT[0], NEXT[-1])
        .sort_by([("score_date", "ascending"), ("order_id", "ascending")])
    )
    assert rows.column("order_id").equals(spine.column("order_id"))
    expected = baseline_answer(spine, rates, ["product_code"])
    assert rows.column("probability").to_pylist() == expected.probabilities.tolist()
    assert rows.column("reason_1")[0].as_py().startswith("baseline rate of product_code ")
    assert pc.all(pc.equal(rows.column("decision"), pc.greater_equal(rows.column("probability"), 1 / 3))).as_py()
    made_again = reproduce_night(site, NEXT[0])
    assert made_again.is_reproduced, made_again
    assert [comparison.name for comparison in made_again.comparisons] == ["scores"]
    assert score(site, NEXT).published.changed == ()
    assert len(alerts(site)) == 1


def test_rates_of_a_damaged_bundle_are_taken_from_another_one_or_from_none(scored_shop_copy: Site) -> None:
    """A night that nobody can score is refused: an answer that nothing vouches for is none."""
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first)
    promoted(site, second, "2024-05-13")
    for version in (first, second):
        byte_flipped(site.models / version)
    path = site.models / second / "baseline.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    score(site, NEXT[:1])
    assert served(site, NEXT[:1]) == {("baseline", first, "as_of")}
    (site.models / first / "baseline.parquet").unlink()
    before = site.tables.version(SCORES)
    with pytest.raises(LadderExhaustedError, match="nobody could score night 2024-05-14") as refusal:
        score(site, NEXT)
    for rung in ("champion", "previous_champion", "baseline"):
        assert f"{rung} " in str(refusal.value)
    assert site.tables.version(SCORES) == before
    assert alerts(site)[-1].startswith("a night could not be scored, 2024-05-14")


def test_a_pinned_model_is_that_model_or_none(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first)
    promoted(site, second, "2024-05-13")
    score(site, NEXT, policy=ServingPolicy("pinned", first))
    assert served(site) == {("champion", first, f"pinned={first}")}
    byte_flipped(site.models / second)
    with pytest.raises(LadderExhaustedError, match=f"under policy pinned={second}"):
        score(site, NEXT, policy=ServingPolicy("pinned", second), replaces=True)
    assert served(site) == {("champion", first, f"pinned={first}")}


def test_features_that_cannot_be_built_leave_the_spine_to_the_rates(scored_shop_copy: Site) -> None:
    """The bundle is whole, but a model of its SQL breaks its own test on these nights."""
    site, champion = scored_shop_copy, str(current_champion(scored_shop_copy))
    rows = site.tables.read("raw/products", [site.calendar.first_night])
    place = rows.schema.get_field_index("category")
    unknown = rows.set_column(place, rows.schema.field(place), [["hats"] * rows.num_rows])
    site.tables.publish("raw/products", unknown, {site.calendar.first_night: NightInputs("", {})}, key=["product_code"])
    outcome = score(site, NEXT)
    assert served(site) == {("baseline", champion, "as_of")}
    assert "category" in outcome.falls[0].reason


def test_rows_that_have_not_landed_are_refused_and_no_stopgap_hides_it(scored_shop_copy: Site) -> None:
    with pytest.raises(LookupError, match="has not landed"):
        score(scored_shop_copy, [date(2024, 5, 30)])
    assert alerts(scored_shop_copy) == []


def test_an_empty_spine_is_nobodys_to_score(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    byte_flipped(site.models / str(current_champion(site)))
    orders = nights_between(date(2024, 5, 11), date(2024, 5, 13))
    empty = site.tables.read("raw/orders", []).slice(0, 0)
    site.tables.publish("raw/orders", empty, {one: NightInputs("", {}) for one in orders}, key=["order_id"])
    before = site.tables.version(SCORES)
    with pytest.raises(ScoreAuditError, match="the spine is empty"):
        score(site, NEXT[:1])
    assert site.tables.version(SCORES) == before

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.estimate import ESTIMATES, estimate_performance_of, stale_estimates
from ml_pipeline.operations.mature import PERFORMANCE, measure_performance
from ml_pipeline.operations.policy_evidence import read_history
from ml_pipeline.operations.promises import ModelPromises
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED, copy_of
from ml_pipeline_tests.watched_nights import publish_drift

SAID = nights_between(SHOP_SCORED[0], date(2024, 5, 24))
FLIPPED = nights_between(date(2024, 5, 9), date(2024, 5, 14))


def with_few_graded(site: Site) -> Site:
    """Three nights of forty rows are much luck: the limit is what they could hardly be off by chance."""
    rules = site.project.estimates.model_copy(update={"graded_nights": 3, "max_error": 0.2})
    return replace(site, sql=replace(site.sql, project=site.project.model_copy(update={"estimates": rules})))


@pytest.fixture(scope="module")
def said(scored_shop: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The shop scored until 24 May, with what each night said of those before and itself."""
    folder = tmp_path_factory.mktemp("estimates")
    site = with_few_graded(copy_of(scored_shop, scored_shop.sql.folder, folder / "data"))
    score(site, SAID)
    estimate_performance_of(site, SAID)
    return site


@pytest.fixture
def said_copy(said: Site, tmp_path: Path) -> Site:
    return with_few_graded(copy_of(said, said.sql.folder, tmp_path / "data"))


def rows_of(site: Site, night: Night) -> pd.DataFrame:
    return site.tables.read(ESTIMATES, [night]).to_pandas().set_index("scored_night")


def test_a_night_speaks_of_the_nights_that_wait_and_grades_the_one_that_matured(said: Site) -> None:
    night = SAID[8]
    rows = rows_of(said, night)
    assert list(rows.index) == list(nights_between(nights_back(night, 4), night))
    assert list(rows["state"]) == ["matured", *["partly_matured"] * 2, *["pending"] * 2]
    assert rows["realised_log_loss"].notna().tolist() == [True, False, False, False, False]
    scores = said.tables.read("scores", [night]).to_pandas()
    p = scores["probability"]
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean()
    last = rows.loc[night]
    assert last["expected_log_loss"] == pytest.approx(entropy)
    assert last["expected_cost"] == pytest.approx(np.where(scores["decision"], 1 - p, 2 * p).mean())
    promised = ModelPromises(said).log_loss(last["model_version"])
    assert (last["promised_log_loss"], last["rows"], last["coverage"]) == (promised, 40, 0.0)


def test_what_came_is_what_the_performance_of_the_night_says(said: Site) -> None:
    measure_performance(said, SAID[4:])
    performance = said.tables.read(PERFORMANCE, SAID[4:]).to_pandas()
    alone = performance[(performance["window_nights"] == 1) & (performance["subject"] == "model")].set_index(
        "score_date"
    )
    graded = said.tables.read(ESTIMATES, SAID[4:]).to_pandas().query("state == 'matured'").set_index("score_date")
    assert list(graded["scored_night"]) == list(SAID[:-4])
    for mine, theirs in (("realised_log_loss", "log_loss"), ("realised_cost", "mean_cost"), ("rows", "rows")):
        assert graded[mine].to_dict() == pytest.approx(alone[theirs].to_dict())
    assert graded["error"].to_dict() == pytest.approx(
        (graded["realised_log_loss"] - graded["expected_log_loss"]).to_dict()
    )


def flip(site: Site, labelled: tuple[Night, ...]) -> None:
    """What was kept is sent back and the other way round: the same features, another outcome."""
    nights = sorted(site.tables.published("labels"))
    rows = site.tables.read("labels", nights)
    is_flipped = pc.is_in(rows["labelled_date"], pa.array(labelled))
    other = rows.set_column(rows.schema.get_field_index("label"), "label", pc.xor(rows["label"], is_flipped))
    site.tables.publish("labels", other, dict.fromkeys(nights, NightInputs("", {})), key=["order_id", "label_known_at"])


def test_estimates_are_switched_off_under_concept_drift_and_come_back_after_it(said_copy: Site) -> None:
    site, horizon = said_copy, said_copy.project.label.horizon_nights
    calm = {night: bool(rows_of(site, night)["is_trusted"].all()) for night in SAID}
    assert [calm[night] for night in SAID] == [False] * (horizon + 2) + [True] * (len(SAID) - horizon - 2)
    flip(site, FLIPPED)
    estimate_performance_of(site, SAID)
    publish_drift(site, dict.fromkeys(SAID, 0.0))
    history = {tick.night: tick for tick in read_history(site, [SAID[-1]])[SAID[-1]]}
    # Grading begins with the second of three flipped nights at the latest, and ends when three calm ones are the newest.
    wrong = nights_between(nights_back(FLIPPED[1], -horizon), nights_back(FLIPPED[-1], -horizon))
    right = nights_between(nights_back(FLIPPED[-1], -horizon - 3), SAID[-1])
    for night in (*wrong, *right):
        tick = history[night]
        assert tick.is_estimate_trusted == (night in right), night
        assert np.isnan(tick.estimated_log_loss) == (night in wrong), night
    off = history[wrong[-1]].estimate_reasons[0]
    assert off.startswith("estimates are switched off for decisions; realised log loss lies +")
    assert rows_of(site, wrong[-1])["graded_error"].min() > site.project.estimates.max_error
    waiting = rows_of(site, SAID[-1]).query("state != 'matured'")
    tick = history[SAID[-1]]
    assert tick.estimated_log_loss == pytest.approx(np.average(waiting["expected_log_loss"], weights=waiting["rows"]))
    saving = (
        1
        - (waiting["expected_cost"] * waiting["rows"]).sum()
        / (waiting["expected_baseline_cost"] * waiting["rows"]).sum()
    )
    assert tick.estimated_saving == pytest.approx(saving)


def test_labels_that_stay_out_keep_their_night_waiting_and_grade_it_when_they_come(said_copy: Site) -> None:
    site, scored, late = said_copy, SAID[3], SAID[10]
    nights = sorted(site.tables.published("labels"))
    rows = site.tables.read("labels", nights)
    is_held = pc.and_(pc.equal(rows["labelled_date"], pa.scalar(scored)), pc.less(rows["score_date"], pa.scalar(late)))
    held = pc.if_else(is_held, pa.scalar(late), rows["score_date"])
    moved = rows.set_column(rows.schema.get_field_index("score_date"), "score_date", held)
    site.tables.publish("labels", moved, dict.fromkeys(nights, NightInputs("", {})), key=["order_id", "label_known_at"])
    estimate_performance_of(site, SAID)
    states = {night: rows_of(site, night)["state"].get(scored) for night in SAID[3:12]}
    assert states == {**dict.fromkeys(SAID[3:10], "pending"), late: "matured", SAID[11]: None}


def test_saying_again_commits_nothing_and_nights_alone_give_what_the_range_gave(said: Site, said_copy: Site) -> None:
    site = said_copy
    assert estimate_performance_of(site, SAID).changed == ()
    shutil.rmtree(site.tables.path(ESTIMATES))
    for night in reversed(SAID):
        estimate_performance_of(site, [night])
    hashes = [
        {night: facts.content_hash for night, facts in one.tables.published(ESTIMATES).items()} for one in (site, said)
    ]
    assert hashes[0] == hashes[1]
    (arrival,) = SAID[9:10]
    flip_night = site.tables.read("labels", [arrival])
    flipped = flip_night.set_column(flip_night.schema.get_field_index("label"), "label", pc.invert(flip_night["label"]))
    site.tables.publish("labels", flipped, {arrival: NightInputs("", {})}, key=["order_id", "label_known_at"])
    assert stale_estimates(site, SAID) == [night for night in SAID if night >= arrival]


def test_analysts_find_them_with_words_for_every_column(said: Site) -> None:
    with duckdb.connect(str(said.data / "warehouse.duckdb"), read_only=True) as connection:
        matured = connection.sql("select count(*) from estimates where state = 'matured'").fetchall()
        assert matured == [(len(SAID) - 4,)]
        silent = "select column_name from duckdb_columns() where table_name = 'estimates' and comment is null"
        assert connection.sql(silent).fetchall() == []


def test_labels_that_were_never_built_are_asked_for(said: Site) -> None:
    with pytest.raises(LookupError, match="labels has not been built"):
        estimate_performance_of(said, [date(2024, 5, 30)])

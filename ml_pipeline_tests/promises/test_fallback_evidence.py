"""A night that the bundled baseline answered while the champion was damaged says nothing of the champion, and can be made again."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml_pipeline.domain.policy import Tick
from ml_pipeline.io.table_store import NightInputs, PublishedNight, TableStore
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.decide import DECISIONS, decide_retraining
from ml_pipeline.operations.estimate import ESTIMATES, estimate_performance_of
from ml_pipeline.operations.mature import PERFORMANCE, measure_performance
from ml_pipeline.operations.matured_calibration import CALIBRATION, measure_matured_calibration
from ml_pipeline.operations.policy_evidence import read_history
from ml_pipeline.operations.promises import ModelPromises
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.reproduce import reproduce_night
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.watch_predictions import PREDICTION_DRIFT, measure_prediction_drift
from ml_pipeline_tests.conftest import SHOP_SCORED, copy_of
from ml_pipeline_tests.watched_nights import publish_drift

NIGHTS = nights_between(SHOP_SCORED[0], date(2024, 5, 24))
LAST = NIGHTS[-1]
FALLBACK = nights_between(date(2024, 5, 15), date(2024, 5, 17))
OWN = tuple(night for night in NIGHTS if night not in FALLBACK)


def with_little_asked_for(site: Site) -> Site:
    """A few nights of forty orders are evidence enough."""
    project = site.project.model_copy(update={
        "estimates": site.project.estimates.model_copy(update={"graded_nights": 3, "max_error": 0.2}),
        "policy": site.project.policy.model_copy(update={"min_matured_nights": 3, "min_matured_rows": 100}),
    })  # fmt: skip
    return replace(site, sql=replace(site.sql, project=project))


def score_without_the_model(site: Site, nights: Sequence[Night], aside: Path) -> None:
    """Score while the champion's trees are not what they were; then they are put back."""
    model = site.models / str(current_champion(site)) / "model.txt"
    shutil.copyfile(model, aside)
    model.write_bytes(model.read_bytes()[:-2])
    score(site, nights)
    shutil.copyfile(aside, model)


@pytest.fixture(scope="module")
def shop(scored_shop: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("fallback")
    site = with_little_asked_for(copy_of(scored_shop, scored_shop.sql.folder, folder / "data"))
    score(site, OWN)
    score_without_the_model(site, FALLBACK, folder / "model.txt")
    measure_performance(site, NIGHTS)
    estimate_performance_of(site, NIGHTS)
    measure_prediction_drift(site, NIGHTS)
    measure_matured_calibration(site, NIGHTS)
    publish_drift(site, dict.fromkeys(NIGHTS, 0.0))
    decide_retraining(site, NIGHTS)
    return site


@pytest.fixture
def shop_copy(shop: Site, tmp_path: Path) -> Site:
    return with_little_asked_for(copy_of(shop, shop.sql.folder, tmp_path / "data"))


def labels_known_on(site: Site, night: Night) -> pd.DataFrame:
    """The newest label of each order that had landed by ``night``."""
    landed = [past for past in site.tables.published("labels") if past <= night]
    labels = site.tables.read("labels", landed).to_pandas().sort_values("label_known_at")
    return labels.drop_duplicates(["order_id", "labelled_date"], keep="last")


@pytest.fixture(scope="module")
def outcomes(shop: Site) -> pd.DataFrame:
    """Every scored row with its label, the cost of its act and of the baseline's, joined in pandas."""
    key = ["order_id"]
    scores = shop.tables.read(SCORES, NIGHTS).to_pandas()
    # A night is judged four nights later.
    labels = pd.concat(
        labels_known_on(shop, nights_back(night, -4)).query("labelled_date == @night") for night in NIGHTS
    )
    rows = scores.merge(
        labels.drop(columns="score_date"), left_on=[*key, "score_date"], right_on=[*key, "labelled_date"]
    )
    rates = shop.tables.read(
        f"features/{shop.sql.feature_set_version}", NIGHTS, [*key, "baseline_return_rate"]
    ).to_pandas()
    rows = rows.merge(rates, on=[*key, "score_date"])
    assert len(rows) == len(scores) == 40 * len(NIGHTS)
    for name, acts in (
        ("cost", rows["decision"]),
        ("baseline_cost", rows["baseline_return_rate"].fillna(0.5) >= rows["threshold"]),
    ):
        rows[name] = np.where(acts, 1.0 * ~rows["label"].astype(bool), 2.0 * rows["label"])
    return rows


def tick_of(site: Site, night: Night) -> Tick:
    return read_history(site, [night])[night][-1]


def test_it_was_the_baseline_that_answered(outcomes: pd.DataFrame) -> None:
    answered = outcomes.groupby("score_date")["served_by"].unique().map(list).to_dict()
    assert answered == {night: ["baseline" if night in FALLBACK else "champion"] for night in NIGHTS}
    assert len(set(outcomes["model_version"])) == 1


def test_prediction_drift_is_measured_on_the_champions_own_nights(shop: Site, outcomes: pd.DataFrame) -> None:
    found = shop.tables.read(PREDICTION_DRIFT, NIGHTS).to_pandas().set_index("score_date")
    for night in NIGHTS:
        window = nights_between(max(nights_back(night, 6), NIGHTS[0]), night)
        own = outcomes[outcomes["score_date"].isin(set(window) - set(FALLBACK))]
        assert found.loc[night, "fallback_nights"] == len(set(window) & set(FALLBACK))
        if night in FALLBACK:
            assert (found.loc[night, "finding"], found.loc[night, "rows"]) == ("missing", 0)
            assert np.isnan(found.loc[night, "mean_probability"])
        else:
            assert found.loc[night, "rows"] == len(own)
            assert found.loc[night, "mean_probability"] == pytest.approx(own["probability"].mean())


def test_performance_is_of_what_was_published_and_says_who_answered(shop: Site, outcomes: pd.DataFrame) -> None:
    rows = shop.tables.read(PERFORMANCE, NIGHTS).to_pandas().query("subject == 'model'")
    alone = rows.query("window_nights == 1").set_index("last_scored_night")
    assert alone["served_by"].to_dict() == {
        night: "baseline" if night in FALLBACK else "champion" for night in NIGHTS[:-4]
    }
    assert alone["mean_cost"].to_dict() == pytest.approx(
        {night: rows["cost"].mean() for night, rows in outcomes.groupby("score_date") if night in alone.index}
    )
    promises, version = ModelPromises(shop), str(current_champion(shop))
    promised = {
        rung: promises.log_loss(version, subject) for rung, subject in (("baseline", "baseline"), ("champion", "model"))
    }
    assert alone["promised_log_loss"].tolist() == [promised[rung] for rung in alone["served_by"]]
    weeks = rows.query("window_nights == 7").set_index("last_scored_night")["fallback_nights"]
    assert {night: int(weeks[night]) for night in (FALLBACK[0], FALLBACK[-1], NIGHTS[-5])} == {
        FALLBACK[0]: 1, FALLBACK[-1]: 3, NIGHTS[-5]: 3,
    }  # fmt: skip


def test_estimates_are_graded_on_the_champions_own_nights(shop: Site, outcomes: pd.DataFrame) -> None:
    said = shop.tables.read(ESTIMATES, NIGHTS).to_pandas()
    matured = said.query("state == 'matured' and served_by == 'champion'").sort_values("scored_night")
    for night in nights_between(nights_back(FALLBACK[0], -4), LAST):
        newest = matured[matured["score_date"] <= night]["scored_night"].tail(3)
        known = outcomes[outcomes["score_date"].isin(newest)].drop(columns="label")
        known = known.merge(labels_known_on(shop, night)[["order_id", "labelled_date", "label"]])
        y, p = known["label"].astype(float), known["probability"]
        surprise = -(y * np.log(p) + (1 - y) * np.log(1 - p)) + p * np.log(p) + (1 - p) * np.log(1 - p)
        rows = said[said["score_date"] == night]
        assert set(rows["nights_graded"]) == {3}
        assert rows["graded_error"].to_numpy() == pytest.approx(surprise.mean())
    told = "3 of 20 scored nights are left out: a lower rung than the champion answered them"
    assert all(reason.endswith(told) for reason in said[said["score_date"] == LAST]["reasons"])
    assert not said[said["score_date"] < FALLBACK[0]]["reasons"].str.contains("left out").any()
    promised = ModelPromises(shop).log_loss(str(current_champion(shop)), "baseline")
    assert set(said[said["served_by"] == "baseline"]["promised_log_loss"]) == {promised}


def test_what_is_expected_of_waiting_nights_leaves_the_baselines_out(shop: Site) -> None:
    night = nights_back(FALLBACK[-1], -1)
    rows = shop.tables.read(ESTIMATES, [night]).to_pandas()
    own = rows.query("state != 'matured' and served_by == 'champion'")
    assert (len(rows.query("state != 'matured'")), len(own)) == (4, 1)
    assert tick_of(shop, night).estimated_log_loss == pytest.approx(own["expected_log_loss"].item())
    # On a night that the baseline answered the newest of the champion's own nights speaks.
    assert tick_of(shop, FALLBACK[1]).is_estimate_trusted


def test_the_saving_is_the_champions_own_and_the_reasons_count_what_is_left_out(
    shop: Site, outcomes: pd.DataFrame
) -> None:
    matured = outcomes[outcomes["score_date"] <= nights_back(LAST, 4)]
    own = matured[matured["served_by"] == "champion"]
    tick = tick_of(shop, LAST)
    assert tick.cost_saving == pytest.approx(1 - own["cost"].sum() / own["baseline_cost"].sum())
    assert tick.cost_saving != pytest.approx(1 - matured["cost"].sum() / matured["baseline_cost"].sum())
    assert tick.fallback_nights == 3
    (row,) = shop.tables.read(DECISIONS, [LAST]).to_pylist()
    assert "3 judged nights are left out: a lower rung than the champion answered them" in row["reasons"]
    before = shop.tables.read(DECISIONS, [nights_back(FALLBACK[0], -3)]).to_pylist()[0]
    assert "judged nights are left out" not in before["reasons"]


def test_calibration_is_the_champions_own(shop: Site, outcomes: pd.DataFrame) -> None:
    rows = shop.tables.read(CALIBRATION, [LAST]).to_pandas().query("part == 'all'").set_index("subject")
    own = outcomes[(outcomes["score_date"] <= nights_back(LAST, 4)) & (outcomes["served_by"] == "champion")]
    assert rows["rows"].to_dict() == dict.fromkeys(("model", "baseline"), len(own))
    assert (rows["nights_scored"].tolist(), rows["fallback_nights"].tolist()) == ([13, 13], [3, 3])
    assert rows.loc["model", "mean_probability"] == pytest.approx(own["probability"].mean())
    # Every night behind it is the champion's own, so it may be decided by.
    assert (tick_of(shop, LAST).gap_low, tick_of(shop, LAST).gap_high) == pytest.approx(
        tuple(rows.loc["model", ["gap_low", "gap_high"]])
    )


def land_other_orders(site: Site, night: Night) -> None:
    rows = site.tables.read("raw/orders", [night])
    place = rows.schema.get_field_index("product_code")
    other = rows.set_column(
        place, "product_code", pa.array(rows["product_code"].to_pylist()[::-1], rows.schema.field(place).type)
    )
    facts = site.tables.published("raw/orders", [night])[night].facts
    key = [*site.sql.sources["orders"].key, "known_at"]
    assert site.tables.publish("raw/orders", other, {night: NightInputs("corrected", facts)}, key=key).changed


class Newest(TableStore):
    """A mutant: whatever version is asked for, the newest rows are read."""

    def published(
        self, table: str, nights: Sequence[Night] | None = None, *, version: int | None = None, least_rows: int = 0
    ) -> dict[Night, PublishedNight]:
        return super().published(table, nights, least_rows=least_rows)

    def files(self, table: str, nights: Sequence[Night] | None = None, *, version: int | None = None) -> list[Path]:
        return super().files(table, nights)


def test_the_night_is_made_again_by_the_rung_that_served_it_whatever_landed_since(shop_copy: Site) -> None:
    site, night = shop_copy, FALLBACK[1]
    assert reproduce_night(site, night).is_reproduced
    land_other_orders(site, night)
    found = reproduce_night(site, night)
    assert found.is_reproduced, found
    assert [comparison.name for comparison in found.comparisons] == [SCORES]
    assert not reproduce_night(replace(site, tables=Newest(site.data)), night).is_reproduced


def test_one_changed_bit_of_it_is_found(shop_copy: Site) -> None:
    rows = shop_copy.tables.read(SCORES, [FALLBACK[0]])
    place = rows.schema.get_field_index("probability")
    moved = pc.add(rows["probability"], 1e-9)
    published = shop_copy.tables.published(SCORES, [FALLBACK[0]])
    inputs = {night: NightInputs(facts.inputs_hash, facts.facts) for night, facts in published.items()}
    shop_copy.tables.publish(SCORES, rows.set_column(place, "probability", moved), inputs, key=["order_id"])
    found = reproduce_night(shop_copy, FALLBACK[0])
    assert ([each.name for each in found.differing], found.reasons) == ([SCORES], ())


def test_what_cannot_be_made_again_is_named(shop_copy: Site) -> None:
    site, version = shop_copy, str(current_champion(shop_copy))
    clock = site.project.model_copy(update={"timezone": "Europe/London"})
    costs = site.project.decision.model_copy(update={"cost_miss": 4.0})
    for project, told in (
        (clock, f"feature_set_version {site.sql.feature_set_version}, now "),
        (site.project.model_copy(update={"decision": costs}), f"threshold {1 / 3}, now 0.2"),
    ):
        (reason,) = reproduce_night(replace(site, sql=replace(site.sql, project=project)), FALLBACK[0]).reasons
        assert f"the project has changed since ({told}" in reason
    rates = site.models / version / "baseline.parquet"
    rates.write_bytes(rates.read_bytes()[:-1] + b"x")
    found = reproduce_night(site, FALLBACK[0])
    assert not found.is_reproduced
    (reason,) = found.reasons
    assert version in reason
    assert "baseline.parquet" in reason

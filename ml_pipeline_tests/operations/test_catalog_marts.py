"""The marts of the default project beside the same numbers in plain pandas, and what the YAML may say of a mart."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from ml_pipeline.operations.catalog_marts import mart_views

MARTS = Path(__file__).parents[2] / "dbt_like_sql" / "nyc_flights" / "marts"


@pytest.fixture(scope="module")
def outcomes() -> pd.DataFrame:
    """Scored flights of five weeks by two models, some without a baseline and some without a delay."""
    draw = np.random.default_rng(7)
    rows = 4000
    probability = draw.uniform(0, 1, rows)
    probability[:3] = [0.0, 1.0, 0.999]
    return pd.DataFrame({
        "score_date": (pd.Timestamp("2013-06-26") + pd.to_timedelta(draw.integers(0, 35, rows), "D")).date,
        "origin": draw.choice(["EWR", "JFK"], rows),
        "dest": draw.choice(["BOS", "ORD", "SFO"], rows),
        "departure_hour": draw.integers(5, 23, rows),
        "probability": probability,
        "decision": probability >= 0.25,
        "baseline_probability": np.where(draw.uniform(size=rows) < 0.1, np.nan, draw.uniform(size=rows)),
        "is_disrupted": draw.uniform(size=rows) < probability,
        "is_cancelled": draw.uniform(size=rows) < 0.05,
        "arr_delay_minutes": np.where(draw.uniform(size=rows) < 0.1, np.nan, draw.normal(5, 30, rows)),
        "model_version": draw.choice(["one", "two"], rows),
    })  # fmt: skip


def made(outcomes: pd.DataFrame, name: str, keys: list[str]) -> pd.DataFrame:
    """Mart ``name`` over ``outcomes``, by ``keys``."""
    sql = {view.name: view.sql for view in mart_views(MARTS)}[name]
    with duckdb.connect() as connection:
        connection.register("frame", outcomes)
        # pandas marks what is missing as NaN, the view that the mart reads has nulls there
        connection.execute("""
            create view scored_outcomes as select * replace (
                if(isnan(baseline_probability), null, baseline_probability) as baseline_probability,
                if(isnan(arr_delay_minutes), null, arr_delay_minutes) as arr_delay_minutes
            ) from frame
        """)
        found = connection.sql(sql).df()
    for column in found.columns.intersection(["month", "first_night"]):
        found[column] = pd.to_datetime(found[column])
    return found.sort_values(keys).set_index(keys)


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert len(found) > 1
    pd.testing.assert_frame_equal(
        found[sorted(expected.columns)].astype(float), expected[sorted(expected.columns)].astype(float), rtol=1e-9,
        check_index_type=False,
    )  # fmt: skip
    assert set(found.columns) == set(expected.columns)


def test_risk_by_route_and_hour(outcomes: pd.DataFrame) -> None:
    keys = ["origin", "dest", "departure_hour"]
    expected = outcomes.groupby(keys).agg(
        flights=("probability", "size"), nights=("score_date", "nunique"), mean_probability=("probability", "mean"),
        disrupted_share=("is_disrupted", "mean"), cancelled_share=("is_cancelled", "mean"),
        mean_arr_delay_minutes=("arr_delay_minutes", "mean"), decision_share=("decision", "mean"),
    )  # fmt: skip
    assert_same(made(outcomes, "risk_by_route_and_hour", keys), expected)


def test_calibration_by_decile(outcomes: pd.DataFrame) -> None:
    keys = ["month", "model_version", "decile"]
    frame = outcomes.assign(
        month=pd.to_datetime(outcomes["score_date"]).dt.to_period("M").dt.to_timestamp(),
        decile=pd.cut(outcomes["probability"], np.linspace(0, 1, 11), right=False, labels=False),
    )
    frame["decile"] = frame["decile"].fillna(9).astype(int) + 1  # one is in the last tenth, which is closed
    expected = frame.groupby(keys).agg(
        flights=("probability", "size"),
        mean_probability=("probability", "mean"),
        disrupted_share=("is_disrupted", "mean"),
    )
    expected["calibration_gap"] = expected["disrupted_share"] - expected["mean_probability"]
    found = made(outcomes, "calibration_by_decile", keys)
    assert set(found.index.get_level_values("decile")) == set(range(1, 11))
    assert_same(found, expected)


def test_model_comparison(outcomes: pd.DataFrame) -> None:
    keys = ["period", "first_night", "model_version"]
    frame = outcomes.dropna(subset="baseline_probability").assign(
        outcome=lambda rows: rows["is_disrupted"].astype(float)
    )
    for subject, column in (("model", "probability"), ("baseline", "baseline_probability")):
        said = frame[column].clip(1e-6, 1 - 1e-6)
        hit = np.where(frame["is_disrupted"], said, 1 - said)
        frame[f"{subject}_log_loss"], frame[f"{subject}_brier"] = -np.log(hit), (said - frame["outcome"]) ** 2
    nights = pd.to_datetime(frame["score_date"])
    mondays = nights - pd.to_timedelta(nights.dt.weekday, "D")
    frame = pd.concat(
        [frame.assign(period="night", first_night=nights), frame.assign(period="week", first_night=mondays)]
    )
    expected = frame.groupby(keys).agg(
        flights=("outcome", "size"), disrupted_share=("outcome", "mean"),
        **{f"{who}_{what}": (f"{who}_{what}", "mean") for who in ("model", "baseline") for what in ("log_loss", "brier")},
    )  # fmt: skip
    assert_same(made(outcomes, "model_comparison", keys), expected)


def test_marts_come_in_the_order_of_the_yaml_with_their_descriptions() -> None:
    views = mart_views(MARTS)
    assert views[0].name == "scored_outcomes"
    assert {view.name for view in views} == {path.stem for path in MARTS.glob("*.sql")}
    for view in views:
        assert view.comment.startswith("One row per"), view.name
        assert view.columns


def test_a_mart_that_has_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "marts.yml").write_text("models: [{name: gone, description: Gone., grain: none}]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"marts \['gone'\], but there is no such \.sql file"):
        mart_views(tmp_path)


def test_a_use_case_without_marts_has_none(tmp_path: Path) -> None:
    assert mart_views(tmp_path / "marts") == []

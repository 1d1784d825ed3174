"""Against pandas and repeated rows; the seeds draw rows, nothing here was copied from a run."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_pipeline.domain.evaluation import calibration_error
from ml_pipeline.domain.night_bootstrap import Draws, draw_nights
from ml_pipeline.domain.reliability import (
    binned_errors,
    overall_calibration,
    reliability_points,
    slice_calibrations,
    slice_column,
)

SEEDS = st.integers(0, 2**32 - 1)


def rows_of(seed: int, rows: int = 300, nights: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    said = generator.beta(2, 3, rows)
    dates = np.datetime64("2024-03-01") + generator.integers(0, nights, rows)
    return (generator.random(rows) < said).astype(float), said, dates


def repeated(values: np.ndarray, draws: Draws, sample: int) -> np.ndarray:
    return np.repeat(values, draws.counts[sample][draws.night_of_row].astype(int))


@given(SEEDS)
@settings(max_examples=15)
def test_an_interval_is_that_of_rows_repeated_as_their_nights_were_drawn(seed: int) -> None:
    labels, said, dates = rows_of(seed)
    draws = draw_nights(dates, samples=60, seed=1)
    found = overall_calibration(labels, said, draws)
    gaps = [repeated(said - labels, draws, sample).mean() for sample in range(60)]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))
    assert found.gap == pytest.approx(said.mean() - labels.mean())


def test_every_bin_stands_in_its_place_with_its_own_interval() -> None:
    labels, said, dates = rows_of(3)
    draws = draw_nights(dates, samples=80, seed=1)
    points = reliability_points(labels, said, draws, bins=5)
    bins = pd.qcut(said, 5, labels=False)
    by_bin = pd.DataFrame({"said": said, "labels": labels}).groupby(bins)
    assert [point.mean_probability for point in points] == pytest.approx(by_bin["said"].mean().tolist())
    assert [point.observed_share for point in points] == pytest.approx(by_bin["labels"].mean().tolist())
    for number, point in enumerate(points):
        shares = []
        for sample in range(80):
            chosen = repeated(bins, draws, sample) == number
            shares.append(repeated(labels, draws, sample)[chosen].mean())
        assert (point.low, point.high) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])))


def test_a_model_that_says_too_much_of_one_slice_is_found_there_alone() -> None:
    labels, said, dates = rows_of(5, rows=6000, nights=20)
    shelf = np.where(np.arange(6000) % 3 == 0, "toys", "books")
    spoiled = np.where(shelf == "toys", np.minimum(said + 0.2, 1.0), said)
    draws = draw_nights(dates, samples=200, seed=1)
    findings = {
        one.value: one.finding
        for one in slice_calibrations(slice_column("shelf", shelf.tolist()), labels, spoiled, draws, min_rows=500)
    }
    assert findings == {"books": "in line", "toys": "says too much"}
    (below,) = slice_calibrations(slice_column("", [""] * 6000), labels, spoiled - 0.25, draws, min_rows=1)
    assert below.finding == "says too little"


def test_few_rows_and_a_single_night_find_nothing() -> None:
    labels, said, dates = rows_of(7, rows=40)
    values = ["rare" if place < 5 else None for place in range(40)]
    draws = draw_nights(dates, samples=50, seed=1)
    found = slice_calibrations(slice_column("shelf", values), labels, said, draws, min_rows=20)
    assert [(one.value, one.rows, one.finding) for one in found][1] == ("rare", 5, "too few rows")
    assert found[0].value == "not known"
    alone = overall_calibration(labels, said, draw_nights(np.full(40, dates[0]), samples=50, seed=1))
    assert np.isnan(alone.low)
    assert alone.finding == "too few rows"
    first_night = ["first" if date == dates.min() else "later" for date in dates]
    one_night = slice_calibrations(slice_column("part", first_night), labels, said, draws, min_rows=1)
    assert [np.isnan(one.low) for one in one_night] == [True, False]


def test_errors_equal_those_of_plain_binning() -> None:
    labels, said, _ = rows_of(9, rows=500)
    found = {(one.binning, one.bins): one.error for one in binned_errors(labels, said, seed=1)}
    assert set(found) == {(way, bins) for way in ("equal mass", "equal width") for bins in (10, 15, 20, 30)}
    for (way, bins), error in found.items():
        if way == "equal mass":
            assert error == pytest.approx(calibration_error(labels, said, bins))
        else:
            groups = pd.DataFrame({"gap": said - labels}).groupby(
                pd.cut(said, np.linspace(0, 1, bins + 1), right=False)
            )
            assert error == pytest.approx(groups["gap"].sum().abs().sum() / 500)


def test_chance_bounds_what_is_calibrated_and_not_what_is_not() -> None:
    """Ninety-five of a hundred calibrated models stay below; a hundred are tried."""
    below = 0
    for seed in range(100):
        labels, said, _ = rows_of(seed, rows=400)
        (one,) = [found for found in binned_errors(labels, said, seed=1, counts=(10,)) if found.binning == "equal mass"]
        below += one.error <= one.by_chance
    assert 88 <= below <= 100
    labels, said, _ = rows_of(1, rows=4000)
    assert all(one.error > one.by_chance for one in binned_errors(labels, np.minimum(said + 0.15, 1), seed=1))


def test_a_probability_of_one_has_a_bin() -> None:
    assert all(one.error == 0 for one in binned_errors(np.array([1.0, 0.0]), np.array([1.0, 0.0]), seed=1))

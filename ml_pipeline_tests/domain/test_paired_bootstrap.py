import math

import numpy as np
import pytest
from scipy.stats import norm, t

from ml_pipeline.domain import paired_bootstrap
from ml_pipeline.domain.paired_bootstrap import Gain, paired_gain


def nights(count: int, rows: int) -> np.ndarray:
    return np.repeat(np.datetime64("2024-04-20") + np.arange(count), rows)


def gain(values: np.ndarray, of_nights: np.ndarray, confidence: float = 0.95, seed: int = 1) -> Gain:
    return paired_gain(of_nights, values, confidence=confidence, seed=seed)


def test_a_gain_that_is_the_same_everywhere_is_certain() -> None:
    found = gain(np.full(60, 0.25), nights(6, 10))
    assert (found.mean, found.rows, found.nights, found.confidence) == (0.25, 60, 6, 0.95)
    assert (found.low, found.high) == pytest.approx((0.25, 0.25))


def test_the_mean_is_over_rows_not_over_nights() -> None:
    of_nights = np.concatenate([nights(5, 1), nights(1, 95)])
    values = np.concatenate([np.ones(5), np.zeros(95)])
    assert gain(values, of_nights).mean == pytest.approx(0.05)


def test_rows_of_one_night_are_no_independent_evidence() -> None:
    """Ten thousand rows of 14 nights say no more than 14 numbers where a night's rows agree."""
    by_night = np.random.default_rng(3).normal(0, 1, 14)
    few, many = (gain(np.repeat(by_night, rows), nights(14, rows)) for rows in (1, 700))
    assert (many.low, many.high) == pytest.approx((few.low, few.high))
    assert many.high - many.low > 0.5


def test_the_interval_is_near_that_of_student_where_it_should_be() -> None:
    by_night = np.random.default_rng(5).normal(0.1, 1, 40)
    found = gain(by_night, nights(40, 1))
    half = t.ppf(0.95, 39) * by_night.std(ddof=1) / math.sqrt(40)
    assert found.low == pytest.approx(by_night.mean() - half, abs=0.04)
    assert found.high == pytest.approx(by_night.mean() + half, abs=0.04)


@pytest.mark.parametrize("count", [5, 14, 40, 365])
@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.99])
def test_the_quantile_of_student_is_that_of_scipy(count: int, confidence: float) -> None:
    found = paired_bootstrap._student_quantile(float(norm.ppf(confidence)), count - 1)
    assert found == pytest.approx(t.ppf(confidence, count - 1), rel=0.02, abs=1e-9)


def test_more_confidence_is_a_wider_interval_and_the_same_seed_the_same_one() -> None:
    values = np.random.default_rng(7).normal(0, 1, 140)
    widths = [gain(values, nights(14, 10), confidence) for confidence in (0.5, 0.8, 0.95, 0.99)]
    lows = [one.low for one in widths]
    assert lows == sorted(lows, reverse=True)
    assert gain(values, nights(14, 10)) == gain(values, nights(14, 10))
    assert gain(values, nights(14, 10), seed=2).low != gain(values, nights(14, 10)).low


def test_too_few_nights_have_no_interval() -> None:
    found = gain(np.ones(40), nights(4, 10))
    assert (found.mean, found.nights) == (1.0, 4)
    assert math.isnan(found.low) and math.isnan(found.high)
    assert math.isnan(gain(np.empty(0), nights(0, 0)).mean)


def test_the_order_of_rows_changes_nothing_that_counts() -> None:
    values, of_nights = np.random.default_rng(9).normal(0, 1, 140), nights(14, 10)
    order = np.random.default_rng(1).permutation(140)
    assert gain(values[order], of_nights[order]).low == pytest.approx(gain(values, of_nights).low)


def test_few_nights_have_as_wide_an_interval_as_student_gives_them() -> None:
    """Plain percentiles of 14 nights would be an eighth too narrow, and promote too often."""
    samples = np.random.default_rng(17).normal(0, 1, (60, 14))
    widths = [found.high - found.low for found in (gain(sample, nights(14, 1)) for sample in samples)]
    of_student = 2 * t.ppf(0.95, 13) * samples.std(ddof=1, axis=1) / math.sqrt(14)
    assert np.mean(widths / of_student) == pytest.approx(1, abs=0.04)

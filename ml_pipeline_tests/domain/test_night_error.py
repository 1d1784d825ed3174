import numpy as np
import pytest

from ml_pipeline.domain.night_error import night_error

NIGHTS = np.repeat(np.datetime64("2024-03-01") + np.arange(40), 25)


def test_rows_that_are_alike_within_a_night_count_as_one() -> None:
    """The textbook's error of a mean of 40 independent numbers, however often each of them is told."""
    of_night = np.random.default_rng(1).normal(size=40)
    assert night_error(np.repeat(of_night, 25), NIGHTS) == pytest.approx(of_night.std(ddof=1) / np.sqrt(40), rel=1e-9)


def test_it_is_the_spread_of_means_over_drawn_nights() -> None:
    generator = np.random.default_rng(2)
    values = np.repeat(generator.normal(size=40), 25) + generator.normal(size=1000)
    table = values.reshape(40, 25)
    means = [table[generator.integers(0, 40, 40)].mean() for _ in range(4000)]
    assert night_error(values, NIGHTS) == pytest.approx(np.std(means), rel=0.06)


def test_a_single_night_says_nothing_of_others() -> None:
    assert night_error(np.array([0.1, 0.2]), NIGHTS[:2]) == np.inf

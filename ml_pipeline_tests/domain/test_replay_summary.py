"""Costs, metrics and differences of replayed years, against sums done by hand."""

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.replay_summary import NightFacts, ReplayedRows, saved, summarise_nights

COSTS = DecisionContract(cost_false_alarm=1.0, cost_miss=3.0)
FIRST = date(2024, 5, 1)
FACTS = NightFacts("m1", "champion", 0.1, math.nan, math.nan, "nothing", "none", "")


def rows(acts: list[bool], *, labels: list[float], nights: list[date], keys: str = "k") -> ReplayedRows:
    count = len(labels)
    return ReplayedRows(
        keys, np.array(nights, dtype="datetime64[D]"), np.array(labels), np.full(count, 0.25), np.array(acts),
        np.full(count, 0.5), np.ones(count, dtype=np.bool_),
    )  # fmt: skip


def test_a_night_is_summed_from_its_own_rows() -> None:
    second = FIRST + timedelta(days=1)
    found = summarise_nights(
        COSTS, rows([True, False, False], labels=[0.0, 1.0, 0.0], nights=[FIRST, FIRST, second]),
        {FIRST: FACTS, second: FACTS, second + timedelta(days=1): FACTS},
    )  # fmt: skip
    assert [(night.rows, night.cost, night.baseline_cost) for night in found] == [
        (2, 4.0, 1.0),
        (1, 0.0, 1.0),
        (0, 0.0, 0.0),
    ]
    assert found[0].log_loss == pytest.approx((-math.log(0.75) - math.log(0.25)) / 2)
    assert found[0].baseline_log_loss == pytest.approx(math.log(2))
    assert found[0].brier == pytest.approx((0.25**2 + 0.75**2) / 2)
    assert math.isnan(found[2].log_loss)


def test_what_was_saved_is_the_difference_in_all_and_its_interval_draws_nights() -> None:
    nights = [FIRST + timedelta(days=day) for day in range(30) for _ in range(20)]
    labels = [float(row % 4 == 0) for row in range(600)]
    good = rows([label == 1 for label in labels], labels=labels, nights=nights)
    bad = rows([False] * 600, labels=labels, nights=nights)
    gain = saved(COSTS, good, bad, seed=1)
    assert (gain.value, gain.confidence) == (pytest.approx(3.0 * sum(labels)), 0.95)
    # Every night has five misses: without luck there is no interval.
    assert (gain.low, gain.high) == (pytest.approx(gain.value), pytest.approx(gain.value))
    assert saved(COSTS, bad, good, seed=1).value == pytest.approx(-gain.value)
    half = rows(
        [label == 1 and night.day % 2 == 0 for label, night in zip(labels, nights, strict=True)],
        labels=labels,
        nights=nights,
    )
    uneven = saved(COSTS, half, bad, seed=1)
    assert uneven.low < uneven.value < uneven.high


def test_other_rows_are_not_compared() -> None:
    one = rows([True], labels=[1.0], nights=[FIRST])
    with pytest.raises(ValueError, match="did not score the same rows"):
        saved(COSTS, one, replace(one, keys="other"), seed=1)

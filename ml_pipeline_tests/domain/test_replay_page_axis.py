import math
from datetime import date

import numpy as np
import pytest

from ml_pipeline.domain.replay_page_axis import NightAxis, rolling_mean, running_total, ticks


def test_nights_have_bands_of_one_width_that_fill_the_chart() -> None:
    axis = NightAxis(date(2013, 3, 1), date(2013, 3, 4))
    assert axis.width == 4
    assert axis.middle(date(2013, 3, 1)) == "12.500%"
    assert [axis.left(date(2013, 3, 1)), axis.right(date(2013, 3, 4))] == [0, 100]
    assert axis.right(date(2013, 3, 1)) == axis.left(date(2013, 3, 2)) == 25
    assert axis.left(date(2013, 1, 1)) == 0, "what lies outside ends at the edge"


def test_months_are_named_where_they_begin_and_have_room() -> None:
    axis = NightAxis(date(2013, 3, 28), date(2013, 6, 4))
    assert list(axis.months()) == [date(2013, 4, 1), date(2013, 5, 1)]


def test_the_rolling_mean_is_total_over_rows_of_known_nights() -> None:
    draw = np.random.default_rng(7)
    rows = draw.integers(1, 90, 120).astype(float)
    totals = draw.normal(size=120) * rows
    totals[[3, 50, 51]] = math.nan
    found = rolling_mean(totals.tolist(), rows.tolist())
    for place, value in enumerate(found):
        window = slice(max(0, place - 27), place + 1)
        known = ~np.isnan(totals[window])
        if known.sum() < 7:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(totals[window][known].sum() / rows[window][known].sum())


def test_a_running_total_skips_what_is_not_known() -> None:
    assert running_total([1, 2]) == (1, 3)
    found = running_total([1, math.nan, 2])
    assert (found[0], found[2]) == (1, 3)
    assert math.isnan(found[1])


@pytest.mark.parametrize(
    ("low", "high"), [(0.45, 0.59), (-120, 6431), (0, 0), (5, 5), (1e-7, 2e-7), (-3, -2.9), (0.2, 0.99)]
)
def test_ticks_are_few_round_and_enclose(low, high) -> None:
    levels = ticks(low, high)
    assert levels[0] <= low + 1e-12
    assert levels[-1] >= high - 1e-12
    assert 2 <= len(levels) <= 5
    steps = np.diff(levels)
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert round(steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-9), 6) in {1, 2, 5}

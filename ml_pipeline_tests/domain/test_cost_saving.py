import math
from dataclasses import replace
from datetime import date

import pytest

from ml_pipeline.domain.cost_saving import JudgedNight, cost_saving
from ml_pipeline.nights import Night, nights_back

FIRST = date(2024, 5, 1)


def judged(day: int, model: float, baseline: float, rows: int = 10, version: str = "m") -> JudgedNight:
    scored = nights_back(FIRST, -day)
    return JudgedNight(nights_back(scored, -2), scored, version, rows, model, baseline)


def saving(nights: list[JudgedNight], without: set[Night] | None = None) -> float:
    return cost_saving(nights, "m", without=without or set(), least_nights=2, least_rows=20)


def test_it_is_the_share_of_the_baselines_cost_over_all_rows() -> None:
    """By hand: the model costs 10 * 1 + 30 * 2 = 70, the baseline 10 * 2 + 30 * 2 = 80."""
    assert saving([judged(0, 1.0, 2.0, 10), judged(1, 2.0, 2.0, 30)]) == pytest.approx(1 - 70 / 80)


def test_nights_of_other_models_and_of_bad_data_are_left_out() -> None:
    nights = [judged(0, 1.0, 2.0), judged(1, 1.0, 2.0), judged(2, 9.0, 1.0, version="other"), judged(3, 9.0, 1.0)]
    assert saving(nights, {nights[3].scored_night}) == pytest.approx(0.5)
    stood_in = replace(judged(4, 9.0, 1.0), model_version=None, is_fallback=True)
    assert saving([*nights[:2], stood_in]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "nights",
    [
        [], [judged(0, 1.0, 2.0, 100)], [judged(0, 1.0, 2.0, 9), judged(1, 1.0, 2.0, 10)],
        [judged(0, 1.0, 0.0), judged(1, 1.0, 0.0)], [judged(0, math.nan, math.nan, 0), judged(1, 1.0, 2.0, 50)],
    ],
)  # fmt: skip
def test_too_little_evidence_is_missing_and_not_a_number(nights: list[JudgedNight]) -> None:
    assert math.isnan(saving(nights))

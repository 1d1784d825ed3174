import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.look_schedule import look_confidence
from ml_pipeline.domain.paired_bootstrap import paired_gain
from ml_pipeline.domain.probation import judge_probation

NIGHTS = np.repeat(np.arange("2024-05-01", "2024-05-21", dtype="datetime64[D]"), 50)


def verdict(worse_by: float, *, nights: int = 20, min_gain: float = 0.0, is_last: bool = True) -> str:
    noise = np.random.default_rng(5).normal(0, 0.2, len(NIGHTS))
    gain = paired_gain(NIGHTS, noise - noise.mean() + worse_by, confidence=0.95, seed=1)
    return judge_probation(gain, nights=nights, asked_nights=14, min_gain=min_gain, is_last=is_last).verdict


@pytest.mark.parametrize(("worse_by", "expected"), [(0.1, "roll_back"), (0.0, "keep"), (0.002, "keep"), (-0.1, "keep")])
def test_only_a_champion_that_is_surely_worse_is_rolled_back(worse_by: float, expected: str) -> None:
    assert verdict(worse_by) == expected


def test_before_enough_nights_and_without_a_comparison_it_waits() -> None:
    assert verdict(0.1, nights=13) == "wait"
    assert judge_probation(None, nights=20, asked_nights=14).verdict == "wait"
    assert verdict(0.1, min_gain=0.2) == "keep"


def test_before_the_last_look_who_is_not_surely_worse_waits() -> None:
    for worse_by, expected in ((0.1, "roll_back"), (0.0, "wait"), (-0.1, "wait")):
        assert verdict(worse_by, is_last=False) == expected


def rolled_back(worse_by: float, *, pairs: int = 200) -> int:
    """Of so many fresh champions, those that one of the two looks rolls back: after 14 nights and after 28."""
    count = 0
    for seed in range(pairs):
        draw = np.random.default_rng(seed)
        nights = np.repeat(np.arange(28), 40)
        gains = worse_by + draw.normal(0, 0.02, 28)[nights] + draw.normal(0, 0.25, len(nights))
        days = np.datetime64("2024-01-01") + nights
        said = [
            judge_probation(
                paired_gain(days[nights < known], gains[nights < known], confidence=look_confidence(0.95), seed=1),
                nights=known, asked_nights=14, min_gain=0.0005, is_last=known == 28,
            ).verdict
            for known in (14, 28)
        ]  # fmt: skip
        count += "roll_back" in said
    return count


def test_equals_are_kept_and_the_clearly_worse_are_rolled_back() -> None:
    assert rolled_back(0.0) <= 10
    assert rolled_back(0.04) >= 190


@given(st.floats(-0.2, 0.2), st.floats(0, 0.2))
def test_the_worse_it_does_the_less_it_stays(worse_by: float, more: float) -> None:
    if verdict(worse_by) == "roll_back":
        assert verdict(worse_by + more) == "roll_back"

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.paired_bootstrap import paired_gain
from ml_pipeline.domain.probation import judge_probation

NIGHTS = np.repeat(np.arange("2024-05-01", "2024-05-21", dtype="datetime64[D]"), 50)


def verdict(worse_by: float, *, nights: int = 20, min_gain: float = 0.0) -> str:
    noise = np.random.default_rng(5).normal(0, 0.2, len(NIGHTS))
    gain = paired_gain(NIGHTS, noise - noise.mean() + worse_by, confidence=0.95, seed=1)
    return judge_probation(gain, nights=nights, asked_nights=14, min_gain=min_gain).verdict


@pytest.mark.parametrize(("worse_by", "expected"), [(0.1, "roll_back"), (0.0, "keep"), (0.002, "keep"), (-0.1, "keep")])
def test_only_a_champion_that_is_surely_worse_is_rolled_back(worse_by: float, expected: str) -> None:
    assert verdict(worse_by) == expected


def test_before_enough_nights_and_without_a_comparison_it_waits() -> None:
    assert verdict(0.1, nights=13) == "wait"
    assert judge_probation(None, nights=20, asked_nights=14).verdict == "wait"
    assert verdict(0.1, min_gain=0.2) == "keep"


@given(st.floats(-0.2, 0.2), st.floats(0, 0.2))
def test_the_worse_it_does_the_less_it_stays(worse_by: float, more: float) -> None:
    if verdict(worse_by) == "roll_back":
        assert verdict(worse_by + more) == "roll_back"

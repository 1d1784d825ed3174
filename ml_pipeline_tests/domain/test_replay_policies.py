from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.replay_policies import POLICIES, ReplayPolicy, policy_named

NIGHT, FIRST_OF_MONTH = date(2024, 5, 17), date(2024, 6, 1)
VERDICTS = ("nothing", "alarm", "recalibrate", "retrain")


@pytest.mark.parametrize(("name", "night", "expected"), [
    ("never", NIGHT, (None, None, None, None)),
    ("never", FIRST_OF_MONTH, (None, None, None, None)),
    ("monthly", NIGHT, (None, None, None, None)),
    ("monthly", FIRST_OF_MONTH, ("train", "train", "train", "train")),
    ("drift", NIGHT, (None, None, "recalibrate", "train")),
    ("recalibrate", NIGHT, (None, None, "recalibrate", "recalibrate")),
])  # fmt: skip
def test_what_each_policy_makes_of_a_verdict(name: str, night: date, expected: tuple[str | None, ...]) -> None:
    assert tuple(policy_named(name).act(night, verdict) for verdict in VERDICTS) == expected


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 60), st.sampled_from(POLICIES))
def test_no_policy_acts_before_the_night_that_it_names(tonight: date, ahead: int, policy: ReplayPolicy) -> None:
    earliest = tonight + timedelta(days=ahead)
    coming = policy.next_act(tonight, earliest_verdict=earliest)
    assert coming > tonight
    for offset in range(1, 62):
        night = tonight + timedelta(days=offset)
        # Before the earliest verdict none can ask for anything.
        verdict = "retrain" if night >= earliest else "nothing"
        if policy.act(night, verdict) is not None:
            assert night >= coming


def test_a_policy_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(
        ValueError, match="'weekly' is no policy of a replay; there are drift, never, monthly, recalibrate"
    ):
        policy_named("weekly")

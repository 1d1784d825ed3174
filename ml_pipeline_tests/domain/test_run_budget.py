from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.run_budget import LEAST_RUNS, RUNS_KEPT, Cost, judge_budget

USUAL = Cost(nights=1, nights_changed=1, rows=1_000, wall_seconds=20.0, cpu_seconds=18.0, peak_memory_mib=600.0)
HISTORY = [USUAL] * RUNS_KEPT


def test_a_cost_as_usual_is_within_its_budget_and_says_so() -> None:
    verdict = judge_budget(USUAL, HISTORY)
    assert (verdict.is_within, verdict.compared_runs) == (True, RUNS_KEPT)
    assert verdict.reasons == ("as in the 20 runs before",)


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"wall_seconds": 61.0}, "61.0 s of wall time"), ({"cpu_seconds": 46.0}, "46.0 s of processor time"),
     ({"peak_memory_mib": 1_000.0}, "1,000.0 MiB of memory"), ({"rows": 6_001}, "6,001.0 rows")],
)  # fmt: skip
def test_each_excess_is_told_with_the_usual_cost(changed: dict[str, float], words: str) -> None:
    verdict = judge_budget(replace(USUAL, **changed), HISTORY)
    assert not verdict.is_within
    (reason,) = verdict.reasons
    assert reason.startswith(words)
    assert f"{float(getattr(USUAL, next(iter(changed)))):,.1f}" in reason


@pytest.mark.parametrize(
    "changed",
    [{"wall_seconds": 60.0}, {"cpu_seconds": 45.0}, {"peak_memory_mib": 900.0}, {"rows": 6_000}, {"wall_seconds": 0.0}],
)
def test_what_is_not_more_than_the_bound_is_no_excess(changed: dict[str, float]) -> None:
    assert judge_budget(replace(USUAL, **changed), HISTORY).is_within


def test_noise_on_what_costs_little_does_not_ring() -> None:
    """A hundred times the usual, and still nothing that anybody would want to know."""
    small = Cost(1, 1, 10, 0.05, 0.04, 80.0)
    told = judge_budget(Cost(1, 1, 1_000, 5.0, 4.0, 300.0), [small] * RUNS_KEPT)
    assert told.is_within
    assert not judge_budget(Cost(1, 1, 1_000, 10.1, 4.0, 300.0), [small] * RUNS_KEPT).is_within


@pytest.mark.parametrize("runs", range(LEAST_RUNS))
def test_too_little_history_passes_and_says_so(runs: int) -> None:
    verdict = judge_budget(replace(USUAL, wall_seconds=9_000.0), HISTORY[:runs])
    assert (verdict.is_within, verdict.compared_runs) == (True, runs)
    assert "too little history" in verdict.reasons[0]


def test_only_runs_with_the_same_work_are_compared() -> None:
    """A week is not slow because a night is quick, and a run that found nothing to do is no measure."""
    nights = [replace(USUAL, wall_seconds=1.0)] * 30
    idle = [replace(USUAL, nights=7, nights_changed=0, wall_seconds=1.0)] * 30
    week = replace(USUAL, nights=7, nights_changed=7, wall_seconds=100.0)
    assert "too little history: 0 earlier runs" in judge_budget(week, nights + idle).reasons[0]
    assert judge_budget(week, nights + idle + [week] * LEAST_RUNS).compared_runs == LEAST_RUNS


def test_the_newest_twenty_decide() -> None:
    slower = [replace(USUAL, wall_seconds=100.0)] * RUNS_KEPT
    assert judge_budget(replace(USUAL, wall_seconds=100.0), slower + HISTORY).is_within
    assert not judge_budget(replace(USUAL, wall_seconds=100.0), HISTORY + slower).is_within


@given(st.lists(st.floats(0.0, 1e4), min_size=LEAST_RUNS, max_size=RUNS_KEPT), st.floats(0.0, 1e5))
def test_wall_time_is_in_excess_beyond_both_factor_and_floor(seconds: list[float], found: float) -> None:
    usual = median(seconds)
    verdict = judge_budget(replace(USUAL, wall_seconds=found), [replace(USUAL, wall_seconds=each) for each in seconds])
    assert verdict.is_within == (found <= 3.0 * usual or found <= usual + 10.0)

"""What an asset cost in a run, held against what the same work cost of late.

A rolling median with a factor and a floor: the median does not follow single slow runs, the factor leaves room for a busy
machine, and the floor keeps noise on something that takes milliseconds from being called an excess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

RUNS_KEPT = 20
LEAST_RUNS = 5


@dataclass(frozen=True)
class Cost:
    """What one asset cost in one run.

    Attributes:
        nights: that the run was asked for.
        nights_changed: that it published anew: a run that found everything up to date is no measure for one that worked.
        rows: that it published.
        wall_seconds, cpu_seconds: from its start to the start of what came next; of all threads and ended children.
        peak_memory_mib: the most that the run's process held up to its end.
    """

    nights: int
    nights_changed: int
    rows: int
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mib: float


@dataclass(frozen=True)
class BudgetVerdict:
    """Whether a cost is within its budget, and why that is thought so; ``compared_runs`` had the same work to do."""

    is_within: bool
    compared_runs: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Budget:
    """An excess is more than ``factor`` times the median and more than ``floor`` above it."""

    attribute: str
    words: str
    factor: float
    floor: float


_BUDGETS = (
    _Budget("wall_seconds", "s of wall time", 3.0, 10.0),
    _Budget("cpu_seconds", "s of processor time", 2.5, 10.0),
    _Budget("peak_memory_mib", "MiB of memory at most", 1.5, 256.0),
    _Budget("rows", "rows", 4.0, 5_000.0),
)


def judge_budget(cost: Cost, earlier: Sequence[Cost]) -> BudgetVerdict:
    """Compare ``cost`` with the newest runs in ``earlier`` (newest first) that had as many nights to do and to change."""
    work = (cost.nights, cost.nights_changed)
    alike = [each for each in earlier if (each.nights, each.nights_changed) == work][:RUNS_KEPT]
    if len(alike) < LEAST_RUNS:
        told = f"too little history: {len(alike)} earlier runs of {cost.nights} nights, {cost.nights_changed} of them changed"
        return BudgetVerdict(True, len(alike), (f"{told}; {LEAST_RUNS} are needed",))
    excesses = tuple(told for budget in _BUDGETS if (told := _excess(budget, cost, alike)))
    return BudgetVerdict(not excesses, len(alike), excesses or (f"as in the {len(alike)} runs before",))


def _excess(budget: _Budget, cost: Cost, alike: Sequence[Cost]) -> str:
    found = float(getattr(cost, budget.attribute))
    usual = median(float(getattr(each, budget.attribute)) for each in alike)
    if found <= max(usual * budget.factor, usual + budget.floor):
        return ""
    return f"{found:,.1f} {budget.words}; the median of {len(alike)} runs before is {usual:,.1f}"

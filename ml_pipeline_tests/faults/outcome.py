"""What a harness found, as data, and the table that a run of several prints."""

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """Attributes:
    number: of the test, as the list of faults counts them.
    title: what was tried.
    trials: how often.
    wrong: each violation, in words.
    details: other numbers worth a look.
    """

    number: int
    title: str
    trials: int
    wrong: tuple[str, ...]
    details: str = ""

    @property
    def violations(self) -> int:
        return len(self.wrong)


@dataclass(frozen=True)
class Line:
    """One line of the table: an outcome and how many seconds it took, shared by all outcomes of its harness."""

    outcome: Outcome
    seconds: float


def row(line: Line) -> str:
    """The line as a row of the table, what was wrong below it."""
    outcome = line.outcome
    head = f"{outcome.number:>3}  {outcome.title:76.76} {outcome.trials:>8,} {outcome.violations:>10,} {line.seconds:>8.1f}"
    told = [f"       {outcome.details}"] if outcome.details else []
    told += [f"     ! {words}" for words in outcome.wrong[:_SHOWN]]
    more = outcome.violations - _SHOWN
    return "\n".join([head, *told, *([f"     ! and {more} more"] if more > 0 else [])])


HEAD = f"{'no.':>3}  {'what was tried':76} {'trials':>8} {'violations':>10} {'seconds':>8}"


def table(lines: Sequence[Line]) -> str:
    """All rows, in the order of their numbers, and the sum."""
    ordered = sorted(lines, key=lambda line: (line.outcome.number, line.outcome.title))
    trials, violations = (sum(getattr(line.outcome, name) for line in lines) for name in ("trials", "violations"))
    return "\n".join([HEAD, *map(row, ordered), f"{'':3}  {'all':76} {trials:>8,} {violations:>10,}"])

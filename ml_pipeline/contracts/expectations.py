"""What a night of a published table is expected to look like, and what was found of it: plain numbers."""

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["blocking", "warning"]
Expectation = Literal["row_count", "missing_share", "mean", "least", "most", "distinct"]


@dataclass(frozen=True)
class ColumnFacts:
    """One column of one night. ``mean``, ``least`` and ``most`` are of numbers and flags, ``distinct`` is of texts.

    Attributes:
        known: rows that have a value.
    """

    known: int
    mean: float | None = None
    least: float | None = None
    most: float | None = None
    distinct: int | None = None


@dataclass(frozen=True)
class NightFacts:
    """One night of a table: its rows, and each column by name."""

    rows: int
    columns: dict[str, ColumnFacts] = field(default_factory=dict)

    def observed(self, expectation: Expectation, column: str | None) -> float | None:
        """The number that ``expectation`` is about; None where there is none, such as the mean of no value."""
        if column is None:
            return float(self.rows)
        facts = self.columns[column]
        if expectation == "missing_share":
            return 1 - facts.known / self.rows if self.rows else None
        found: float | None = getattr(facts, expectation)
        return None if found is None else float(found)


@dataclass(frozen=True)
class Bound:
    """A closed range in which a number of a night is expected; an end that is None is open.

    Attributes:
        column: None for the table itself.
        severity: ``blocking`` fails the run, ``warning`` is shown.
        nights_of_history: earlier nights that the range is made from; 0 for one that holds whatever came before.
    """

    expectation: Expectation
    column: str | None
    lower: float | None
    upper: float | None
    severity: Severity
    nights_of_history: int = 0

    @property
    def name(self) -> str:
        return self.expectation if self.column is None else f"{self.column} {self.expectation}"


@dataclass(frozen=True)
class Judgement:
    """A bound and what was found. What cannot be found meets every bound but NaN meets none."""

    bound: Bound
    observed: float | None

    @property
    def is_met(self) -> bool:
        if self.observed is None:
            return True
        lower, upper = self.bound.lower, self.bound.upper
        return (
            (lower is None or self.observed >= lower)
            and (upper is None or self.observed <= upper)
            and self.observed == self.observed
        )

    @property
    def in_words(self) -> str:
        found = "nothing" if self.observed is None else f"{self.observed:.6g}"
        ends = ["" if end is None else f"{end:.6g}" for end in (self.bound.lower, self.bound.upper)]
        return f"{self.bound.severity}: {self.bound.name} is {found}, expected [{ends[0]}, {ends[1]}]"

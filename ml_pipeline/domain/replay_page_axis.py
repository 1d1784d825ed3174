"""The axes of the replay's charts: nights from left to right in percent of the width, so that a chart fits any screen."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ml_pipeline.domain.replay_report import PolicyYear, ReplayedNight
from ml_pipeline.nights import Night

ROLLING_NIGHTS = 28
LEAST_NIGHTS = 7

Values = tuple[float, ...]


@dataclass(frozen=True)
class NightAxis:
    """The nights ``first`` to ``last``, both shown; each has a band of the same width."""

    first: Night
    last: Night

    @property
    def width(self) -> int:
        """How many nights there are."""
        return (self.last - self.first).days + 1

    def place(self, night: Night) -> int:
        return (night - self.first).days

    def __contains__(self, night: Night) -> bool:
        return self.first <= night <= self.last

    def middle(self, night: Night) -> str:
        return f"{100 * (self.place(night) + 0.5) / self.width:.3f}%"

    def left(self, night: Night) -> float:
        """Where the band of ``night`` begins, in percent, inside the chart."""
        return min(100.0, max(0.0, 100 * self.place(night) / self.width))

    def right(self, night: Night) -> float:
        return self.left(night + timedelta(days=1))

    def months(self) -> Iterator[Night]:
        """The first night of each month that has room for its name."""
        for place in range(self.width):
            night = self.first + timedelta(days=place)
            if (night.day == 1 or place == 0) and (self.last - night).days >= 10:
                begins_soon = place == 0 and night.day > 20
                if not begins_soon:
                    yield night

    def spread(self, year: PolicyYear, number: Callable[[ReplayedNight], float]) -> Values:
        """A number for each night of the axis, NaN where the year has none."""
        known = {night.night: number(night) for night in year.nights}
        return tuple(known.get(self.first + timedelta(days=place), math.nan) for place in range(self.width))


def mean_cost(night: ReplayedNight) -> float:
    return night.cost / night.rows if night.rows else math.nan


def rolling_mean(totals: Sequence[float], rows: Sequence[float], nights: int = ROLLING_NIGHTS) -> Values:
    """Total over rows of the last ``nights`` places; a place that is not known is left out, fewer than 7 give NaN."""
    found = []
    for end in range(1, len(totals) + 1):
        window = zip(totals[max(0, end - nights) : end], rows[max(0, end - nights) : end], strict=True)
        known = [(total, number) for total, number in window if math.isfinite(total) and number > 0]
        enough = len(known) >= LEAST_NIGHTS
        found.append(sum(total for total, _ in known) / sum(number for _, number in known) if enough else math.nan)
    return tuple(found)


def running_total(values: Iterable[float]) -> Values:
    """The sum so far; a place that is not known adds nothing and shows nothing."""
    total, found = 0.0, []
    for value in values:
        total += value if math.isfinite(value) else 0.0
        found.append(total if math.isfinite(value) else math.nan)
    return tuple(found)


def ticks(low: float, high: float, most: int = 4) -> tuple[float, ...]:
    """Round numbers that enclose ``low`` to ``high``, at most ``most`` steps of 1, 2 or 5 times a power of ten."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(
        size * power
        for size in (1, 2, 5, 10, 20)
        if math.ceil(high / (size * power)) - math.floor(low / (size * power)) <= most
    )
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return tuple(number * step for number in range(first, last + 1))

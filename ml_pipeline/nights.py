"""Nights, cutoffs and half-open windows: the only date arithmetic of the house.

A night is named by its ``score_date``, the local calendar day whose rows are scored. Its cutoff is the
instant at which that night's run knows the world. Everything that became known in the half-open window
``(cutoff(D - 1), cutoff(D)]`` belongs to night ``D``, so each instant belongs to exactly one night.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Night = date

_NIGHT_PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_night(text: str) -> Night:
    """Return the night that ``text`` names.

    Raises:
        ValueError: if ``text`` is not a calendar day written YYYY-MM-DD. The strict pattern keeps a hostile
            partition key from ever reaching a path or an SQL text.
    """
    if not _NIGHT_PATTERN.fullmatch(text):
        raise ValueError(f"{text!r} is not a night; write it as YYYY-MM-DD, for example 2013-07-01")
    return date.fromisoformat(text)


def nights_between(first: Night, last: Night) -> tuple[Night, ...]:
    """Every night from ``first`` to ``last``, both included; empty if ``last`` is before ``first``."""
    return tuple(first + timedelta(days=offset) for offset in range((last - first).days + 1))


def nights_back(night: Night, count: int) -> Night:
    """The night ``count`` nights before ``night`` (after it, if ``count`` is negative)."""
    return night - timedelta(days=count)


def lookback_nights(night: Night, lookback_days: int, *, first_night: Night) -> tuple[Night, ...]:
    """The ``lookback_days`` nights that end with ``night`` itself, none before ``first_night``."""
    return nights_between(max(nights_back(night, lookback_days - 1), first_night), night)


def contiguous_runs(nights: Iterable[Night], *, longest: int) -> tuple[tuple[Night, Night], ...]:
    """Group nights into (first, last) runs without holes, none longer than ``longest`` nights."""
    runs: list[tuple[Night, Night]] = []
    for night in sorted(set(nights)):
        if runs and night == nights_back(runs[-1][1], -1) and (night - runs[-1][0]).days < longest:
            runs[-1] = (runs[-1][0], night)
        else:
            runs.append((night, night))
    return tuple(runs)


@dataclass(frozen=True)
class KnownWindow:
    """Half-open window of knowledge: ``after < known_at <= until`` (no lower bound if ``after`` is None)."""

    after: datetime | None
    until: datetime


@dataclass(frozen=True)
class NightCalendar:
    """The nights of one project and the instants that part them.

    Attributes:
        timezone: IANA name; cutoffs are local wall-clock times there.
        cutoff_time: wall-clock time of the cutoff.
        cutoff_days_before: how many days before ``score_date`` the cutoff lies.
        first_night: takes everything that was known up to its cutoff.
        last_night: the last night that exists, None for an open end.
    """

    timezone: str
    cutoff_time: time
    cutoff_days_before: int
    first_night: Night
    last_night: Night | None = None

    def cutoff(self, night: Night) -> datetime:
        """The UTC instant at which the run for ``night`` knows the world."""
        day = nights_back(night, self.cutoff_days_before)
        return datetime.combine(day, self.cutoff_time, tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)

    def known_window(self, first: Night, last: Night) -> KnownWindow:
        """What nights ``first`` to ``last`` learn, as one half-open window."""
        after = None if first <= self.first_night else self.cutoff(nights_back(first, 1))
        return KnownWindow(after, self.cutoff(last))

    def nights_of_window(self, window: KnownWindow) -> tuple[Night, ...]:
        """The nights whose cutoff lies in ``window``, from the first night on: the inverse of ``known_window``."""
        last = window.until.astimezone(ZoneInfo(self.timezone)).date() + timedelta(days=self.cutoff_days_before + 1)
        first = self.first_night
        if window.after is not None:
            after = window.after.astimezone(ZoneInfo(self.timezone)).date()
            first = max(first, nights_back(after, 1 - self.cutoff_days_before))
        return tuple(
            night
            for night in nights_between(first, last)
            if (window.after is None or window.after < self.cutoff(night)) and self.cutoff(night) <= window.until
        )

    def require(self, nights: Sequence[Night]) -> None:
        """Raise ValueError unless there is a night and each lies between the first and the last night."""
        if not nights:
            raise ValueError("no night was named")
        last = self.last_night or date.max
        outside = [night for night in nights if not self.first_night <= night <= last]
        if outside:
            raise ValueError(
                f"night {min(outside)} is outside this project's nights {self.first_night} to {last}; "
                "first_night and last_night stand in project.yml"
            )

    def nights_known(self, known_at_us: NDArray[np.int64], first: Night, last: Night) -> NDArray[np.datetime64]:
        """The night to which each instant belongs, for instants inside ``known_window(first, last)``.

        Args:
            known_at_us: microseconds since the epoch, UTC.
            first: the first night that may be answered.
            last: the last night that may be answered.
        """
        nights = nights_between(first, last)
        cutoffs = np.array([_microseconds(self.cutoff(night)) for night in nights], dtype=np.int64)
        # side="left": an instant equal to a cutoff belongs to that night, the next microsecond to the next one.
        positions = np.searchsorted(cutoffs, known_at_us, side="left")
        if len(positions) and int(positions.max()) >= len(nights):
            raise ValueError(f"an instant lies after the cutoff of {last}")
        return np.array(nights, dtype="datetime64[D]")[positions]


def _microseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def replayed_night(today: date, replay_year: int | None) -> Night:
    """The night that stands for ``today``: the same month and day of ``replay_year`` (29 Feb becomes 28 Feb).

    A project on live data has no ``replay_year``: its night is the day itself.
    """
    if replay_year is None:
        return today
    if (today.month, today.day) == (2, 29):
        return date(replay_year, 2, 28)
    return today.replace(year=replay_year)

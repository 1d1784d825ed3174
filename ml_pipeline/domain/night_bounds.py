"""Whether a night looks like the nights before it: what does not is held for a person, neither refused nor believed.

The bounds come from the data themselves, as in TensorFlow Data Validation (Breck et al., MLSys 2019), and are wide: they
are there for another unit, a turned sign, swapped columns, a doubled feed, not for a storm.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.delivery import BoundsContract
from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.domain.night_profile import ColumnProfile, Profile, profile_of
from ml_pipeline.nights import Night, nights_back

_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Anomaly:
    """One way in which a night is not like those before it, in words that name column and ratio."""

    night: Night
    rule: str
    column: str | None
    reason: str


@dataclass(frozen=True)
class _Compared:
    """A number column with enough values this night and before: median, usual median, and the range of its history."""

    column: ColumnProfile
    median: float
    usual: float
    low: float
    high: float


@dataclass(frozen=True)
class _Seen:
    """One night (a position) before the eyes of a rule, with the positions of its history."""

    profile: Profile
    place: int
    history: slice
    bounds: BoundsContract

    @property
    def night(self) -> Night:
        return self.profile.nights[self.place]

    @cached_property
    def compared(self) -> list[_Compared]:
        found = []
        for column in self.profile.numbers:
            median = float(column.median[self.place])
            has_values = np.isfinite(column.median[self.history])
            if np.isfinite(median) and has_values.sum() >= self.bounds.least_history_nights:
                usual = float(np.median(column.median[self.history][has_values]))
                low = float(column.low[self.history][has_values].min())
                high = float(column.high[self.history][has_values].max())
                found.append(_Compared(column, median, usual, low, high))
        return found


def judge_nights(
    rows: pa.Table, counts: Mapping[Night, int], judged: Sequence[Night], contract: SourceContract
) -> tuple[Anomaly, ...]:
    """Compare each of ``judged`` with the nights before it.

    Args:
        rows: rows that landed or are about to, with ``score_date``, of the nights in ``counts``; declared columns.
        counts: rows that each night's delivery held, zero included: the judged nights and those before them.
        judged: the nights that have not been landed yet.
        contract: of the source; reference sources have no usual night.
    """
    if contract.reference or not judged:
        return ()
    bounds = contract.bounds
    profile = profile_of(rows, counts, contract)
    found: list[Anomaly] = []
    for night in sorted(judged):
        place = profile.nights.index(night)
        first = int(np.searchsorted(np.array(profile.nights), np.array(nights_back(night, bounds.history_nights))))
        if place - first >= bounds.least_history_nights:
            seen = _Seen(profile, place, slice(first, place), bounds)
            found += [anomaly for rule in NIGHT_RULES for anomaly in rule(seen)]
    return tuple(found)


def _volume(seen: _Seen) -> Iterator[Anomaly]:
    usual = seen.profile.rows[seen.history]
    count, expected = int(seen.profile.rows[seen.place]), float(np.median(usual))
    if seen.bounds.may_be_empty(seen.night):
        return
    if count == 0 and (usual > 0).mean() > _NEARLY_ALL:
        yield Anomaly(seen.night, "empty", None, f"no rows, the usual night has {expected:,.0f}")
    elif count > 0 and max(count, expected) >= seen.bounds.least_rows:
        ratio = count / max(expected, 1.0)
        if not 1 / seen.bounds.volume_ratio <= ratio <= seen.bounds.volume_ratio:
            reason = f"{count:,} rows, {ratio:.2g} times the usual {expected:,.0f}"
            yield Anomaly(seen.night, "volume", None, reason)


def _another_scale(seen: _Seen) -> Iterator[Anomaly]:
    for each in seen.compared:
        width, ratio = each.high - each.low, each.median / each.usual if each.usual else np.inf
        is_far = width > 0 and not each.low - width <= each.median <= each.high + width
        limit = seen.bounds.median_ratio
        is_more, is_less = ratio > limit and each.median > each.high, ratio < 1 / limit and each.median < each.low
        if is_far or (each.low > 0 < each.median and (is_more or is_less)):
            reason = f"the median is {each.median:.6g}, {ratio:.3g} times the usual {each.usual:.6g}: another unit?"
            yield Anomaly(seen.night, "scale", each.column.name, reason)


def _another_sign(seen: _Seen) -> Iterator[Anomaly]:
    for each in seen.compared:
        if (each.low > 0 > each.median) or (each.high < 0 < each.median):
            ratio = each.median / each.usual
            reason = (
                f"the median is {each.median:.6g}, {ratio:.3g} times the usual {each.usual:.6g}: the sign is turned"
            )
            yield Anomaly(seen.night, "sign", each.column.name, reason)


def _swapped(seen: _Seen) -> Iterator[Anomaly]:
    for one, other in combinations(seen.compared, 2):
        if one.column.kind != other.column.kind:
            continue
        is_out = not one.low <= one.median <= one.high and not other.low <= other.median <= other.high
        if is_out and one.low <= other.median <= one.high and other.low <= one.median <= other.high:
            reason = (
                f"the values of {one.column.name} and {other.column.name} look swapped "
                f"(medians {one.median:.6g} and {other.median:.6g})"
            )
            yield Anomaly(seen.night, "swapped", one.column.name, reason)


def _missing(seen: _Seen) -> Iterator[Anomaly]:
    for column in seen.profile.numbers:
        share, usual = column.missing[seen.place], column.missing[seen.history]
        if share >= 0.9 and np.isfinite(usual).any() and np.nanmax(usual) < 0.5:
            reason = f"{share:.0%} of its values are missing, at most {np.nanmax(usual):.0%} before"
            yield Anomaly(seen.night, "missing", column.name, reason)


def _new_texts(seen: _Seen) -> Iterator[Anomaly]:
    for column in seen.profile.texts:
        new, known = int(column.new[seen.place]), int(column.known[seen.place])
        # The first nights of a history know little: what they brought says nothing of how many are usual.
        usual = int(column.new[seen.history][1:].max())
        if new > max(seen.bounds.least_rows, seen.bounds.new_values_ratio * usual, known / 2):
            reason = f"{new:,} values that no night before had; {known:,} are known, at most {usual:,} came anew"
            yield Anomaly(seen.night, "new values", column.name, reason)


NIGHT_RULES: tuple[Callable[[_Seen], Iterator[Anomaly]], ...] = (
    _volume, _another_scale, _another_sign, _swapped, _missing, _new_texts,
)  # fmt: skip

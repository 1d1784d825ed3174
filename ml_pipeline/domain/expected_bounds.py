"""Ranges in which the numbers of a night are expected, made from the nights before it.

Two kinds. A blocking range is so wide that only a broken feed, a broken join or another unit leaves it: a storm must not,
for that is when scores matter. A warning range is what the last weeks would let one expect. Both are made of order
statistics and of whole ranges, so that one odd night in the history moves them little (volume: median and MAD; Hampel,
JASA 1974) or only widens them.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from ml_pipeline.contracts.expectations import Bound, Judgement, NightFacts

# Counted up with every change of a rule below: nights are then judged anew.
RULES = 1
HISTORY_NIGHTS = 28
LEAST_HISTORY = 7
_LEAST_HISTORY_OF_MEANS = 14
_VOLUME_FACTOR = 4.0
_VOLUME_MADS, _VOLUME_SHARE = 6.0, 0.4
_MAD_TO_DEVIATION = 1.4826
_RARELY_MISSING, _BROKEN = 0.05, 0.5
_MISSING_STEP = 0.2
_SCALE_FACTOR = 10.0
_LEAST_SCALE = 1.0
_SHARE_OF_RANGE = 0.1
_ROUNDING = 1e-9


def expected_bounds(
    history: Sequence[NightFacts], columns: Iterable[str], *, never_missing: Iterable[str] = (),
    ranges: Mapping[str, tuple[float | None, float | None]] | None = None, least_rows: int = 0,
) -> list[Bound]:  # fmt: skip
    """Every bound of one table for one night.

    Args:
        history: facts of the nights before, in any order; with fewer than 7 only what always holds is expected.
        columns: columns that are looked at.
        never_missing: columns that always have a value.
        ranges: values that always lie in a range, by column.
        least_rows: rows that there always are.
    """
    bounds = [Bound("row_count", None, float(least_rows), None, "blocking")] if least_rows else []
    bounds += [Bound("missing_share", name, None, 0.0, "blocking") for name in never_missing]
    for name, (lower, upper) in (ranges or {}).items():
        bounds += [Bound("least", name, lower, None, "blocking")] if lower is not None else []
        bounds += [Bound("most", name, None, upper, "blocking")] if upper is not None else []
    if len(history) < LEAST_HISTORY:
        return bounds
    bounds += _volume(history)
    for name in columns:
        bounds += [*_missing(history, name), *_scale(history, name), *_mean(history, name), *_distinct(history, name)]
    return bounds


def judge_night(facts: NightFacts, bounds: Iterable[Bound]) -> list[Judgement]:
    """Hold ``facts`` against ``bounds``, in their order."""
    return [Judgement(bound, facts.observed(bound.expectation, bound.column)) for bound in bounds]


def _volume(history: Sequence[NightFacts]) -> list[Bound]:
    """A quarter to four times the median blocks; a warning comes 6 deviations (by MAD) away, or 40 % if that is more."""
    rows = [float(night.rows) for night in history]
    middle = median(rows)
    spread = _MAD_TO_DEVIATION * median(abs(each - middle) for each in rows)
    reach = max(_VOLUME_MADS * spread, _VOLUME_SHARE * middle)
    nights = len(history)
    if not middle:
        return []
    return [
        Bound("row_count", None, middle / _VOLUME_FACTOR, middle * _VOLUME_FACTOR, "blocking", nights),
        Bound("row_count", None, max(middle - reach, 0.0), middle + reach, "warning", nights),
    ]


def _missing(history: Sequence[NightFacts], column: str) -> list[Bound]:
    """A column that hardly ever lacked a value and now lacks half of them blocks; a fifth more than ever warns."""
    shares = [share for night in history if (share := night.observed("missing_share", column)) is not None]
    if len(shares) < LEAST_HISTORY:
        return []
    bounds = []
    if max(shares) <= _RARELY_MISSING:
        bounds.append(Bound("missing_share", column, None, _BROKEN, "blocking", len(shares)))
    if max(shares) + _MISSING_STEP < 1:
        bounds.append(Bound("missing_share", column, None, max(shares) + _MISSING_STEP, "warning", len(shares)))
    return bounds


def _scale(history: Sequence[NightFacts], column: str) -> list[Bound]:
    """A mean ten times beyond every value of the history, and beyond 1 (shares never are), is another unit; it blocks."""
    sizes = [
        max(abs(facts.least), abs(facts.most))
        for facts in (night.columns[column] for night in history)
        if facts.least is not None and facts.most is not None
    ]
    if len(sizes) < LEAST_HISTORY:
        return []
    limit = max(_SCALE_FACTOR * max(sizes), _LEAST_SCALE)
    return [Bound("mean", column, -limit, limit, "blocking", len(sizes))]


def _mean(history: Sequence[NightFacts], column: str) -> list[Bound]:
    """A mean outside of all earlier ones by more than their whole range, or a tenth of the values' range, warns."""
    found = [night.columns[column] for night in history if night.columns[column].mean is not None]
    means = [facts.mean for facts in found if facts.mean is not None]
    if len(means) < _LEAST_HISTORY_OF_MEANS:
        return []
    least = min(facts.least for facts in found if facts.least is not None)
    most = max(facts.most for facts in found if facts.most is not None)
    # Two ways to add up may differ in the last digits; a column that never changes would be judged by them.
    reach = max(max(means) - min(means), _SHARE_OF_RANGE * (most - least), _ROUNDING * max(abs(least), abs(most)))
    return [Bound("mean", column, min(means) - reach, max(means) + reach, "warning", len(means))]


def _distinct(history: Sequence[NightFacts], column: str) -> list[Bound]:
    """Half as many or twice as many different texts as ever warns."""
    counts = [facts.distinct for night in history if (facts := night.columns[column]).distinct is not None]
    if len(counts) < _LEAST_HISTORY_OF_MEANS:
        return []
    known = [float(count) for count in counts if count is not None]
    return [Bound("distinct", column, min(known) / 2, max(known) * 2, "warning", len(known))]

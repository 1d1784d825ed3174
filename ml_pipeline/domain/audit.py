"""Audits scores before anybody can read them: what is wrong by itself, and what is unlike the nights before."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.night_rows import rows_by_night
from ml_pipeline.contracts.row_order import repeats_in_order
from ml_pipeline.contracts.serving import ServingContract
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.nights import Night

# A model that gives every row the same number tells nothing; fewer rows than this may well be alike.
_FEWEST_ROWS_TO_VARY = 20
# So that a night on which no row, or every row, is likely still has finite odds.
_LEAST_MEAN = 1e-4


@dataclass(frozen=True)
class ScoreAudit:
    """What was found on one night. ``broken`` names each rule that does not hold, with numbers and the first row."""

    night: Night
    rows: int
    broken: tuple[str, ...]
    expected_rows: int = 0


@dataclass(frozen=True)
class Distribution:
    """What the probabilities of one night are like: their mean, and the share that reaches the threshold."""

    night: Night
    mean: float
    share: float


def audit_scores(
    rows: pa.Table, expected_rows: Mapping[Night, int], key: Sequence[str], *, spine: pa.Table | None = None,
    may_be_alike: bool = False,
) -> list[ScoreAudit]:  # fmt: skip
    """One audit a night of ``expected_rows`` (rows of the spine by night).

    Rules: as many rows as the spine, keys unique and none that the spine (``score_date`` and key, if given) lacks,
    probabilities finite and in [0, 1], and not all the same unless they ``may_be_alike``.
    """
    by_night = rows_by_night(rows.select([SCORE_DATE, "probability", *key]), expected_rows)
    planned = {} if spine is None else rows_by_night(spine.select([SCORE_DATE, *key]), expected_rows)
    audits = []
    for night, expected in sorted(expected_rows.items()):
        mine = by_night[night]
        broken = [*_broken(mine, expected, key, may_be_alike=may_be_alike)]
        if night in planned:
            broken += _orphans(mine, planned[night], key)
        audits.append(ScoreAudit(night, mine.num_rows, tuple(broken), expected))
    return audits


def _broken(rows: pa.Table, expected: int, key: Sequence[str], *, may_be_alike: bool) -> Iterator[str]:
    if not expected:
        yield "the spine is empty: nothing is planned for this night, or its plan has not landed"
    if rows.num_rows != expected:
        yield f"{rows.num_rows} rows, the spine has {expected}"
    repeats = repeats_in_order(rows, key)
    if repeats is None or repeats.any():
        yield from _repeated(rows, key)
    probabilities = rows.column("probability").to_numpy()
    outside = ~((probabilities >= 0) & (probabilities <= 1))
    if outside.any():
        first = _named(rows.filter(pa.array(outside)), key)
        yield f"{int(outside.sum())} probabilities are not numbers in [0, 1] (first: {first})"
    if not may_be_alike and len(probabilities) >= _FEWEST_ROWS_TO_VARY and len(np.unique(probabilities)) == 1:
        yield "every probability is the same"


def _repeated(rows: pa.Table, key: Sequence[str]) -> Iterator[str]:
    counted = rows.group_by(list(key), use_threads=False).aggregate([([], "count_all")])
    if counted.num_rows != rows.num_rows:
        repeated = counted.filter(pc.greater(counted.column("count_all"), 1))
        yield f"{rows.num_rows - counted.num_rows} rows repeat a key (first: {_named(repeated, key)})"


def _orphans(rows: pa.Table, spine: pa.Table, key: Sequence[str]) -> Iterator[str]:
    orphans = rows.select(list(key)).join(spine.select(list(key)), list(key), join_type="left anti")
    if orphans.num_rows:
        yield f"{orphans.num_rows} rows are not in the spine (first: {_named(orphans, key)})"


def _named(rows: pa.Table, key: Sequence[str]) -> str:
    return ", ".join(f"{name} {rows.column(name)[0].as_py()}" for name in key)


def distributions(rows: pa.Table) -> list[Distribution]:
    """One a night of ``rows`` (``score_date``, ``probability``, ``threshold``), in night order."""
    dates = np.asarray(rows.column(SCORE_DATE).to_numpy()).astype("datetime64[D]")
    probability, threshold = (rows.column(name).to_numpy() for name in ("probability", "threshold"))
    found: NDArray[np.datetime64] = np.unique(dates)
    return [
        Distribution(night.item(), float(mine.mean()), float((mine >= threshold[dates == night]).mean()))
        for night in found
        for mine in [probability[dates == night]]
    ]


def out_of_bounds(
    mine: Distribution, history: Sequence[Distribution], terms: ServingContract
) -> tuple[str, ...]:  # fmt: skip
    """In words, how a night is unlike the nights before it; nothing if it is alike, or if there is too little history.

    The bounds are the range of the history, widened: a storm moves a night far from the median of calm weeks, and is
    what the model is for; a changed unit or a swapped column moves it far beyond all that was ever seen.
    """
    if len(history) < terms.least_history_nights:
        return ()
    means, shares = [one.mean for one in history], [one.share for one in history]
    widened = math.log(terms.mean_odds_factor)
    told = []
    if not _log_odds(min(means)) - widened <= _log_odds(mine.mean) <= _log_odds(max(means)) + widened:
        told.append(
            f"mean probability {mine.mean:.3f}: its odds lie more than {terms.mean_odds_factor:g} times outside of "
            f"{min(means):.3f} to {max(means):.3f}, the range of {len(history)} nights before"
        )
    if not min(shares) - terms.share_margin <= mine.share <= max(shares) + terms.share_margin:
        told.append(
            f"{mine.share:.1%} of the rows reach the threshold: more than {terms.share_margin:.0%} outside of "
            f"{min(shares):.1%} to {max(shares):.1%}, the range of {len(history)} nights before"
        )
    return tuple(told)


def _log_odds(mean: float) -> float:
    held = min(max(mean, _LEAST_MEAN), 1 - _LEAST_MEAN)
    return math.log(held / (1 - held))

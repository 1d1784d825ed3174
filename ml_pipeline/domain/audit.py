"""Audits scores before anybody can read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.nights import Night

# A model that gives every row the same number tells nothing; fewer rows than this may well be alike.
_FEWEST_ROWS_TO_VARY = 20


@dataclass(frozen=True)
class ScoreAudit:
    """What was found on one night. ``broken`` names each rule that does not hold, with numbers."""

    night: Night
    rows: int
    broken: tuple[str, ...]


def audit_scores(rows: pa.Table, expected_rows: Mapping[Night, int], key: Sequence[str]) -> list[ScoreAudit]:
    """One audit a night of ``expected_rows`` (rows of the spine by night).

    Rules: as many rows as the spine, keys unique, probabilities finite and in [0, 1], and not all the same.
    """
    rows = rows.select([SCORE_DATE, "probability", *key])
    dates = rows.column(SCORE_DATE).to_numpy()
    if np.any(dates[1:] < dates[:-1]):
        rows = rows.sort_by(SCORE_DATE)
        dates = np.sort(dates)
    audits = []
    for night, expected in sorted(expected_rows.items()):
        start, stop = (int(np.searchsorted(dates, np.datetime64(night), side)) for side in ("left", "right"))
        mine = rows.slice(start, stop - start)
        audits.append(ScoreAudit(night, mine.num_rows, _broken(mine, expected, key)))
    return audits


def _broken(rows: pa.Table, expected: int, key: Sequence[str]) -> tuple[str, ...]:
    broken = []
    probabilities = rows.column("probability").to_numpy()
    if not expected:
        broken.append("the spine is empty: nothing is planned for this night, or its plan has not landed")
    if rows.num_rows != expected:
        broken.append(f"{rows.num_rows} rows, the spine has {expected}")
    unique = rows.group_by(list(key)).aggregate([]).num_rows
    if unique != rows.num_rows:
        broken.append(f"{rows.num_rows - unique} rows repeat a key")
    outside = int(np.sum(~((probabilities >= 0) & (probabilities <= 1))))
    if outside:
        broken.append(f"{outside} probabilities are not numbers in [0, 1]")
    if len(probabilities) >= _FEWEST_ROWS_TO_VARY and len(np.unique(probabilities)) == 1:
        broken.append("every probability is the same")
    return tuple(broken)

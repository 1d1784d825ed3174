"""Rows of a table, night by night."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.nights import Night

_EPOCH = Night(1970, 1, 1)


def rows_by_night(rows: pa.Table, nights: Iterable[Night]) -> dict[Night, pa.Table]:
    """The rows of each of ``nights`` in the order they stand in, none where a night has none.

    Slices without a copy where the rows of a night lie together, sorted by night: a filter a night would read all rows
    for each of a year's nights.
    """
    days = rows.column(SCORE_DATE).cast(pa.int32()).to_numpy()
    if np.any(days[1:] < days[:-1]):
        order = np.argsort(days, kind="stable")
        rows, days = rows.take(pa.array(order)), days[order]
    parts = {}
    for night in nights:
        number = (night - _EPOCH).days
        start, stop = (int(days.searchsorted(number, side)) for side in ("left", "right"))
        parts[night] = rows.slice(start, stop - start)
    return parts


def rows_of_night(rows: pa.Table, night: Night) -> pa.Table:
    """The rows of one night, in the order they stand in; wide rows that are not sorted by night are not moved for it."""
    mine = rows.column(SCORE_DATE).to_numpy() == np.datetime64(night)
    places = np.flatnonzero(mine)
    if not len(places):
        return rows.slice(0, 0)
    is_together = len(places) == places[-1] - places[0] + 1
    return rows.slice(int(places[0]), len(places)) if is_together else rows.filter(pa.array(mine))

"""Landed rows as they would have been, had the late rows and corrections of one night come in time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE
from ml_pipeline.domain.lateness import Arrivals, key_numbers, landing_nights
from ml_pipeline.nights import Night


@dataclass(frozen=True)
class Difference:
    """How two tables of one night differ.

    Attributes:
        rows: rows with another value somewhere, and rows that only one of the two has.
        columns: columns with another value in a row that both have.
    """

    rows: int
    columns: int


def in_hindsight(rows: pa.Table, arrivals: Arrivals, cutoffs: Mapping[Night, datetime], key: Sequence[str]) -> pa.Table:
    """Rows of one source as if those that the last of the nights landed late, or as corrections, had come in time.

    A correction stands in the place of the version that it corrects, with that version's clock. A late row stands in
    the night on which it was expected, known at its cutoff: the last instant that would have been in time. Of several
    versions that the last night landed, only the last one was ever seen, and only that one is moved. What belongs
    before the nights in ``cutoffs`` stays where it is.

    Args:
        rows: landed rows of the nights in ``cutoffs``, with ``score_date``.
        arrivals: how each of them arrived.
        cutoffs: every night of ``rows``, the last one included, with its cutoff.
        key: the columns that name a row.
    """
    versions = _last_versions(rows, max(cutoffs), key)
    due_on = arrivals.due_on[versions.last]
    is_moved = (arrivals.nights_late[versions.last] > 0) & (due_on >= np.datetime64(min(cutoffs)))
    is_kept = ~(versions.is_last_night & np.isin(versions.keys, versions.keys[versions.last[is_moved]]))
    is_kept[versions.corrected[is_moved & (versions.corrected >= 0)]] = False
    moved_on = due_on[is_moved]
    moved = rows.take(pa.array(versions.last[is_moved]))
    own_cutoffs = pa.array([cutoffs[night] for night in moved_on.tolist()], rows.schema.field(KNOWN_AT).type)
    old = rows.column(KNOWN_AT).take(pa.array(np.maximum(versions.corrected[is_moved], 0))).combine_chunks()
    clocks = pc.if_else(pa.array(versions.corrected[is_moved] >= 0), old, own_cutoffs)
    moved = moved.set_column(rows.schema.get_field_index(KNOWN_AT), rows.schema.field(KNOWN_AT), clocks)
    nights = pa.array(moved_on, pa.date32())
    moved = moved.set_column(rows.schema.get_field_index(SCORE_DATE), rows.schema.field(SCORE_DATE), nights)
    return pa.concat_tables([rows.filter(pa.array(is_kept)), moved])


@dataclass(frozen=True)
class _LastVersions:
    """For each key that the last night landed: position of its last version, and of the version before that night (-1)."""

    keys: NDArray[np.int64]
    is_last_night: NDArray[np.bool_]
    last: NDArray[np.int64]
    corrected: NDArray[np.int64]


def _last_versions(rows: pa.Table, night: Night, key: Sequence[str]) -> _LastVersions:
    keys, nights = key_numbers(rows, key), landing_nights(rows)
    is_last_night = nights == np.datetime64(night)
    order = np.lexsort((rows.column(KNOWN_AT).cast(pa.int64()).to_numpy(), nights, keys))
    is_new_key = np.append(True, keys[order][1:] != keys[order][:-1])[: len(order)]
    is_tonight = is_last_night[order]
    # The last night sorts last within each key: one run of its versions ends where the next key begins.
    starts = np.flatnonzero(is_tonight & (is_new_key | ~np.append(False, is_tonight[:-1])[: len(order)]))
    ends = np.flatnonzero(is_tonight & np.append(is_new_key[1:], True)[: len(order)])
    corrected = np.where(is_new_key[starts], -1, order[starts - 1])
    return _LastVersions(keys, is_last_night, order[ends], corrected)


def difference(before: pa.Table, after: pa.Table, key: Sequence[str]) -> Difference:
    """Compare two tables of the same columns, in each of which ``key`` names a row."""
    numbers = key_numbers(pa.concat_tables([before.select(list(key)), after.select(list(key))]), key)
    shared, left, right = np.intersect1d(
        numbers[: before.num_rows], numbers[before.num_rows :], assume_unique=True, return_indices=True
    )
    is_other_row = np.zeros(len(shared), dtype=bool)
    columns = 0
    for name in before.schema.names:
        is_other = _is_other(before.column(name).take(pa.array(left)), after.column(name).take(pa.array(right)))
        is_other_row |= is_other
        columns += bool(is_other.any())
    return Difference(int(is_other_row.sum()) + before.num_rows + after.num_rows - 2 * len(shared), columns)


def _is_other(one: pa.ChunkedArray, other: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Whether two values differ as the content hash sees it: missing is a value, and so is each NaN and each zero."""
    is_missing = one.is_null().to_numpy(), other.is_null().to_numpy()
    if pa.types.is_floating(one.type):
        bits = (column.fill_null(0.0).to_numpy().view(np.int64) for column in (one, other))
        is_unequal = np.not_equal(*bits)
    else:
        is_unequal = pc.fill_null(pc.not_equal(one, other), False).to_numpy()
    return np.asarray(is_unequal | (is_missing[0] != is_missing[1]))

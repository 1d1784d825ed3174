"""What a landed night looks like in a few numbers, so that it can be held against the nights before it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.delivery import BoundsContract
from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE, SourceContract
from ml_pipeline.nights import Night

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ColumnProfile:
    """A number column, night by night; every array of shape (nights,), NaN where a night has too few values.

    ``low`` and ``high`` are the first and the 99th percentile, ``missing`` the share of rows without a value.
    """

    name: str
    kind: str
    low: Floats
    median: Floats
    high: Floats
    missing: Floats


@dataclass(frozen=True)
class TextProfile:
    """A text column: how many values each night brought that none of its history had, and how many it knew; (nights,)."""

    name: str
    new: NDArray[np.int64]
    known: NDArray[np.int64]


@dataclass(frozen=True)
class Profile:
    """Nights in order, without holes where there are none in what landed."""

    nights: tuple[Night, ...]
    rows: NDArray[np.int64]
    numbers: tuple[ColumnProfile, ...]
    texts: tuple[TextProfile, ...]


def profile_of(rows: pa.Table, counts: Mapping[Night, int], contract: SourceContract) -> Profile:
    """Profile the nights in ``counts`` (rows that each delivery held); ``rows`` are theirs, with ``score_date``."""
    nights = tuple(sorted(counts))
    days = rows.column(SCORE_DATE).to_numpy()
    if (days[1:] < days[:-1]).any():
        order = np.argsort(days, kind="stable")
        rows, days = rows.take(pa.array(order)), days[order]
    edges = np.searchsorted(days, np.array(nights, dtype=days.dtype))
    edges = np.append(edges, len(days))
    of_row = np.repeat(np.arange(len(nights)), np.diff(edges))
    columns = [column for column in contract.columns if column.name not in (*contract.key, KNOWN_AT)]
    numbers = [
        _number_profile(rows.column(column.name), column.name, column.type, edges, contract.bounds)
        for column in columns
        if column.type in ("integer", "number")
    ]
    texts = [
        _text_profile(rows.column(column.name), column.name, of_row, nights, contract.bounds)
        for column in columns
        if column.type == "string"
    ]
    return Profile(nights, np.array([counts[night] for night in nights]), tuple(numbers), tuple(texts))


def _number_profile(
    column: pa.ChunkedArray, name: str, kind: str, edges: NDArray[np.int64], bounds: BoundsContract
) -> ColumnProfile:
    values = column.cast(pa.float64(), safe=False).to_numpy()
    points = np.full((3, len(edges) - 1), np.nan)
    missing = np.full(len(edges) - 1, np.nan)
    for place in range(len(edges) - 1):
        part = values[edges[place] : edges[place + 1]]
        if len(part) >= bounds.least_rows:
            there = part[np.isfinite(part)]
            missing[place] = 1 - len(there) / len(part)
            if len(there) >= bounds.least_rows:
                there = np.sort(there)
                points[:, place] = there[[len(there) // 100, len(there) // 2, len(there) - 1 - len(there) // 100]]
    return ColumnProfile(name, kind, points[0], points[1], points[2], missing)


def _text_profile(
    column: pa.ChunkedArray, name: str, of_row: NDArray[np.int64], nights: tuple[Night, ...], bounds: BoundsContract
) -> TextProfile:
    codes = column.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    # One entry a value and night, by value, then night: a value is new where its last night lies beyond the history.
    pairs = np.unique(codes[codes >= 0].astype(np.int64) * len(nights) + of_row[codes >= 0])
    values, places = pairs // len(nights), pairs % len(nights)
    days = np.array(nights, dtype="datetime64[D]").astype(np.int64)[places]
    is_new = np.ones(len(pairs), dtype=bool)
    is_new[1:] = (values[1:] != values[:-1]) | (np.diff(days) > bounds.history_nights)
    new = np.bincount(places[is_new], minlength=len(nights))
    return TextProfile(name, new, _known(values, days, nights, bounds))


def _known(
    values: NDArray[np.int64], days: NDArray[np.int64], nights: tuple[Night, ...], bounds: BoundsContract
) -> NDArray[np.int64]:
    """How many values each night's history holds: a value is known from the night after it until the history passes."""
    starts, ends = days + 1, days + bounds.history_nights
    # Where a value comes again, its knowledge is prolonged, not counted twice.
    is_again = np.zeros(len(days), dtype=bool)
    is_again[1:] = (values[1:] == values[:-1]) & (starts[1:] <= ends[:-1] + 1)
    is_prolonged = np.zeros(len(days), dtype=bool)
    is_prolonged[:-1] = is_again[1:]
    all_days = np.array(nights, dtype="datetime64[D]").astype(np.int64)
    begun = np.searchsorted(np.sort(starts[~is_again]), all_days, side="right")
    ended = np.searchsorted(np.sort(ends[~is_prolonged]), all_days, side="left")
    known: NDArray[np.int64] = begun - ended
    return known

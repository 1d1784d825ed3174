"""What a row must be beyond the types and ranges of its columns: a key that can be read, instants that can be true."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.source import KNOWN_AT, ColumnContract, SourceContract

_FIRST_DAY = {"date": date(1800, 1, 1), "timestamp": date(1971, 1, 1)}
_LAST_DAY = date(2199, 12, 31)
_EPOCH = date(1970, 1, 1)
_FORGIVEN = timedelta(minutes=5)
# Control characters, and what is invisible or turns the direction of writing: two keys that look alike are not.
_UNSEEN = "[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
_UNSEEN_PATTERN = re.compile(_UNSEEN)

KEY_IS_EMPTY = "a key is not empty"
KEY_IS_UNSEEN = "a key holds no control, invisible or direction characters"
LOOKS_LIKE_SECONDS = "the unit looks like seconds or milliseconds: it lies in January 1970"
LOOKS_LIKE_NANOSECONDS = "the unit looks like nanoseconds: it lies after the year 9999"


class BrokenCells(NamedTuple):
    """Rows that break one rule: a mask of shape (rows,) without nulls, the rule, the column."""

    mask: pa.ChunkedArray
    rule: str
    column: str


Rule = Callable[[pa.Table, SourceContract], Iterator[BrokenCells]]


def _keys_that_are_empty(rows: pa.Table, contract: SourceContract) -> Iterator[BrokenCells]:
    for name in contract.key:
        values = rows.column(name)
        mask = pc.is_null(values)
        if pa.types.is_string(values.type):
            mask = pc.or_(mask, pc.fill_null(pc.equal(pc.utf8_trim_whitespace(values), ""), True))
        yield BrokenCells(mask, KEY_IS_EMPTY, name)


def _keys_that_cannot_be_seen(rows: pa.Table, contract: SourceContract) -> Iterator[BrokenCells]:
    for name in contract.key:
        values = rows.column(name)
        if pa.types.is_string(values.type):
            bad = [
                value for value in values.unique().to_pylist() if value is not None and _UNSEEN_PATTERN.search(value)
            ]
            yield BrokenCells(pc.is_in(values, value_set=pa.array(bad, pa.string())), KEY_IS_UNSEEN, name)


def _instants_of_another_unit(rows: pa.Table, contract: SourceContract) -> Iterator[BrokenCells]:
    for column in contract.columns:
        if column.type == "timestamp" and not (column.earliest and column.earliest < date(1970, 2, 1)):
            values = rows.column(column.name)
            is_near = pc.and_(pc.greater_equal(values, _midnight(_EPOCH)), pc.less(values, _midnight(date(1970, 2, 1))))
            yield BrokenCells(pc.fill_null(is_near, False), LOOKS_LIKE_SECONDS, column.name)
            is_far = pc.greater(values.cast(pa.int64()), _microseconds(datetime(9999, 12, 31, tzinfo=UTC)))
            yield BrokenCells(pc.fill_null(is_far, False), LOOKS_LIKE_NANOSECONDS, column.name)


def _days_out_of_range(rows: pa.Table, contract: SourceContract) -> Iterator[BrokenCells]:
    for column in contract.columns:
        if column.type in ("date", "timestamp"):
            first, last = first_and_last_day(column)
            values = rows.column(column.name)
            is_date = column.type == "date"
            early = pc.less(values, pa.scalar(first) if is_date else _midnight(first))
            late = pc.greater(values, pa.scalar(last)) if is_date else pc.greater_equal(values, _midnight(_next(last)))
            yield BrokenCells(pc.fill_null(early, False), f"no earlier than {first}", column.name)
            yield BrokenCells(pc.fill_null(late, False), f"no later than {last}", column.name)


def _events_from_the_future(rows: pa.Table, contract: SourceContract) -> Iterator[BrokenCells]:
    for column in contract.columns:
        if column.not_after is not None:
            values, bound = rows.column(column.name).cast(pa.int64()), rows.column(column.not_after).cast(pa.int64())
            # Compared from the side of the bound, which is an instant of sense: a far value must not overflow.
            late = pc.greater(values, pc.add(bound, _FORGIVEN // timedelta(microseconds=1)))
            yield BrokenCells(pc.fill_null(late, False), f"not after {column.not_after}", column.name)


ROW_RULES: tuple[Rule, ...] = (
    _keys_that_are_empty, _keys_that_cannot_be_seen, _instants_of_another_unit, _days_out_of_range,
    _events_from_the_future,
)  # fmt: skip


def unowned_instants(rows: pa.Table, contract: SourceContract) -> Iterator[BrokenCells]:
    """Where ``known_at`` is an instant that no night can own."""
    clock = contract.model_copy(
        update={"columns": tuple(column for column in contract.columns if column.name == KNOWN_AT)}
    )
    yield from _instants_of_another_unit(rows, clock)
    yield from _days_out_of_range(rows, clock)


def first_and_last_day(column: ColumnContract) -> tuple[date, date]:
    """The days that a date or timestamp may name."""
    return column.earliest or _FIRST_DAY[column.type], column.latest or _LAST_DAY


def _midnight(day: date) -> pa.Scalar:
    return pa.scalar(datetime.combine(day, time(), tzinfo=UTC), pa.timestamp("us", tz="UTC"))


def _next(day: date) -> date:
    return day + timedelta(days=1)


def _microseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

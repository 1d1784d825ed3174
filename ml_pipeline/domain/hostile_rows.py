"""Rows that lie: under known keys, with other values, claimed to have been known for ever.

An audit lets them land after a night and looks whether the night changes. They keep the contract, so that a model which
must not see them cannot fail because of them either.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE, ColumnContract, SourceContract
from ml_pipeline.nights import Night

_LONG_AGO = np.datetime64("2000-01-01T00:00:00", "us")
_FAR = 9999.0


def hostile_landing(rows: pa.Table, contract: SourceContract, night: Night, *, later_nights: int) -> pa.Table:
    """``rows`` as they are up to ``night``, and hostile ones on the nights after it.

    Args:
        rows: contract columns and ``score_date``, the night that landed each row.
        contract: of the source.
        night: the last night that keeps its rows.
        later_nights: on so many nights after ``night`` every row known to it is claimed anew, each row on one of them;
            what has landed there already becomes hostile too.
    """
    is_known = pc.less_equal(rows.column(SCORE_DATE), pa.scalar(night, pa.date32()))
    known, later = rows.filter(is_known), rows.filter(pc.invert(is_known))
    claimed_by = np.datetime64(night) + 1 + np.arange(known.num_rows) % later_nights
    place = known.schema.get_field_index(SCORE_DATE)
    again = known.set_column(place, known.schema.field(place), pa.array(claimed_by, pa.date32()))
    return pa.concat_tables([known, hostile(pa.concat_tables([later, again]), contract, days=[night])])


def hostile(rows: pa.Table, contract: SourceContract, *, days: Sequence[Night]) -> pa.Table:
    """``rows`` with the same keys and nights, and no other value left as it was.

    Every second row keeps its texts, whole numbers, days and instants: a model's joins and filters still meet it, and
    what it would then read are turned flags and measures at the far end of what the contract allows. The other rows
    carry the text of a neighbour, one of ``days`` and an instant of long ago, to be met where they do not belong.
    """
    for column in contract.columns:
        if column.name not in contract.key:
            place = rows.schema.get_field_index(column.name)
            values = _hostile_values(rows.column(place).combine_chunks(), column, days)
            rows = rows.set_column(place, rows.schema.field(place), values)
    return rows


def _hostile_values(values: pa.Array, column: ColumnContract, days: Sequence[Night]) -> pa.Array:
    if column.name == KNOWN_AT:
        # A microsecond apart, so that rows of one key stay in one order.
        return pa.array(_LONG_AGO + np.arange(len(values)), pa.timestamp("us")).cast(values.type)
    if column.type == "boolean":
        return pc.invert(values).fill_null(True)
    if column.type == "number":
        return _far_end(values, column)
    others = {
        "string": lambda: values.take(pa.array(np.roll(np.arange(len(values)), 1))),
        "integer": lambda: _far_end(values, column),
        "date": lambda: pa.array(np.resize(np.array(days, "datetime64[D]"), len(values)), values.type),
        "timestamp": lambda: pa.array(np.full(len(values), _LONG_AGO), pa.timestamp("us")).cast(values.type),
    }[column.type]()
    return pc.if_else(pa.array(np.arange(len(values)) % 2 == 0), values, others)


def _far_end(values: pa.Array, column: ColumnContract) -> pa.Array:
    lowest = -_FAR if column.minimum is None else column.minimum
    highest = _FAR if column.maximum is None else column.maximum
    is_high = np.nan_to_num(values.cast(pa.float64()).to_numpy(zero_copy_only=False)) > (lowest + highest) / 2
    return pa.array(np.where(is_high, lowest, highest)).cast(values.type)

"""Says in words where two builds of the same rows differ."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_MOST_COLUMNS_NAMED = 3


def differences_in_words(expected: pa.Table, found: pa.Table, key: Sequence[str]) -> str:
    """Where ``found`` differs from ``expected``, both in the same order of rows; empty if no value differs.

    Names at most three columns, each with how many rows differ and the first of them.
    """
    if sorted(expected.schema.names) != sorted(found.schema.names):
        missing = sorted(set(expected.schema.names) - set(found.schema.names))
        added = sorted(set(found.schema.names) - set(expected.schema.names))
        return f"columns missing {missing}, added {added}"
    if expected.num_rows != found.num_rows or not expected.select(list(key)).equals(found.select(list(key))):
        return f"other rows: {expected.num_rows} expected, {found.num_rows} found"
    told = []
    for name in expected.schema.names:
        differs = np.flatnonzero(_differs(expected.column(name), found.column(name)))
        if len(differs):
            row = int(differs[0])
            where = " ".join(str(expected.column(part)[row].as_py()) for part in key)
            one, other = expected.column(name)[row].as_py(), found.column(name)[row].as_py()
            told.append(f"{name} in {len(differs)} of {expected.num_rows} rows ({where}: {one!r} is {other!r})")
    more = [f"and {len(told) - _MOST_COLUMNS_NAMED} more columns"] if len(told) > _MOST_COLUMNS_NAMED else []
    return "; ".join([*told[:_MOST_COLUMNS_NAMED], *more])


def _differs(expected: pa.ChunkedArray, found: pa.ChunkedArray) -> NDArray[np.bool_]:
    if expected.type != found.type:
        return np.ones(len(expected), dtype=bool)
    both = pc.and_(expected.is_valid(), found.is_valid())
    values = pc.fill_null(pc.not_equal(expected, found), False)
    if pa.types.is_floating(expected.type):
        values = pc.and_not(values, pc.and_(pc.is_nan(expected).fill_null(False), pc.is_nan(found).fill_null(False)))
    is_one_missing = pc.xor(expected.is_valid(), found.is_valid())
    return np.asarray(pc.or_(pc.and_(both, values), is_one_missing).to_numpy(), dtype=bool)

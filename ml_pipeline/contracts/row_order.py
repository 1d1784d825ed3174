"""Whether rows stand in order, seen by a look at neighbours: rows are sorted and counted only where that does not tell."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def repeats_in_order(rows: pa.Table, names: Sequence[str]) -> NDArray[np.bool_] | None:
    """Of rows that ascend by ``names``, which equal the one before: shape (rows - 1,), at least 0. None of other rows.

    None also where it is not plain to see: nulls and numbers that may be NaN have a place in a sort, but no comparison.
    """
    tied = np.ones(max(0, rows.num_rows - 1), dtype=np.bool_)
    for name in names:
        column = rows.column(name)
        if column.null_count or pa.types.is_floating(column.type):
            return None
        before, after = column.slice(0, len(tied)), column.slice(1)
        if (tied & pc.greater(before, after).to_numpy()).any():
            return None
        tied &= pc.equal(before, after).to_numpy()
    return tied

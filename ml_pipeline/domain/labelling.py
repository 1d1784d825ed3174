"""Joins rows with what became known of them."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE


def match_labels(rows: pa.Table, labels: pa.Table, key: Sequence[str]) -> NDArray[np.float64]:
    """The label of each row as last known in ``labels``: 0, 1, or NaN where none is known; shape (rows,).

    Args:
        rows: rows with ``score_date`` and ``key``; the order of the answer.
        labels: rows of the label table (``score_date`` is the night on which a label became known), already limited to
            the nights that the caller may know.
        key: the entity key. With the labelled day it names a row; a key that is scored on two nights has two labels.
    """
    identity = [*key, "labelled_date"]
    order = [(SCORE_DATE, "ascending"), ("label_known_at", "ascending")]
    # One thread: "last" must mean the last in this order.
    latest = labels.sort_by(order).group_by(identity, use_threads=False).aggregate([("label", "last")])
    numbered = rows.select([*key, SCORE_DATE]).append_column("_position", pa.array(np.arange(rows.num_rows)))
    matched = numbered.join(latest, [*key, SCORE_DATE], identity, join_type="left outer").sort_by("_position")
    if matched.num_rows != rows.num_rows:
        raise ValueError(f"matching labels turned {rows.num_rows} rows into {matched.num_rows}")
    return np.array(matched.column("label_last").cast(pa.float64()).to_numpy(), dtype=np.float64)

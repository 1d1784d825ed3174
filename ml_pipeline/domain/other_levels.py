"""Categories that a model's training did not see: which rows have one, how many, and what landed in them.

What landed stays as it landed; only the model's view of it is the level ``__other__``.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.feature_matrix import OTHER, FeatureColumn, FeatureEncoder
from ml_pipeline.nights import Night

_SHOWN_CHARACTERS = 40
Landed = Mapping[int, NDArray[np.object_]]


def landed_others(encoder: FeatureEncoder, rows: pa.Table, matrix: NDArray[np.float32]) -> Landed:
    """By position of a column that has unseen categories: what landed there, shape (rows,), None where it was seen.

    ``matrix`` is what ``encoder`` makes of ``rows``. Most nights have none, and this is empty.
    """
    found = {}
    for position in encoder.category_positions:
        column = encoder.columns[position]
        is_other = matrix[:, position] == column.other_code
        if is_other.any():
            texts = np.full(len(matrix), None, dtype=object)
            texts[is_other] = rows.column(column.name).filter(pa.array(is_other)).to_pylist()
            found[position] = texts
    return found


def count_others(encoder: FeatureEncoder, rows: pa.Table) -> dict[Night, dict[str, int]]:
    """Rows with a category that the training did not see, by night and column; nights and columns without one are left out.

    ``rows`` have ``score_date`` and the encoder's category columns. Also of an encoder that has no level for them.
    """
    dates = np.asarray(rows.column(SCORE_DATE).to_numpy()).astype("datetime64[D]")
    found: dict[Night, dict[str, int]] = {}
    for position in encoder.category_positions:
        column = encoder.columns[position]
        values = rows.column(column.name)
        is_seen = pc.is_in(values, value_set=pa.array(column.levels, pa.string()))
        is_other = np.asarray(pc.and_not(pc.is_valid(values), is_seen).to_numpy(zero_copy_only=False))
        for night, count in zip(*np.unique(dates[is_other], return_counts=True), strict=True):
            found.setdefault(night.item(), {})[column.name] = int(count)
    return found


def without_others(encoder: FeatureEncoder, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """``matrix`` with unseen categories as missing values.

    To drift, which compares with the training, both are no level; trees grow on this, so that none learns of the code.
    """
    codes = np.array([column.other_code for column in encoder.columns], dtype=np.float32)
    return np.where(matrix == codes, np.float32(np.nan), matrix) if (matrix == codes).any() else matrix


def in_words(landed: str) -> str:
    """The level with what landed, escaped and cut so that no cell can swamp or reorder the text around it."""
    shown = landed if len(landed) <= _SHOWN_CHARACTERS else f"{landed[:_SHOWN_CHARACTERS]}..."
    return f"{OTHER} (landed value {shown!r})"


def shown_value(column: FeatureColumn, value: object) -> object:
    """``value`` as the model took it: a category of its training and a number as they are, an unseen category in words."""
    if column.other is None or not isinstance(value, str) or value in column.levels:
        return value
    return in_words(value)

"""From feature rows to the numbers that LightGBM sees, the same way in training and in scoring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.sql_models import FeatureContract

_ROWS_AT_ONCE = 2048
_CONSTRAINTS = {"increasing": 1, "decreasing": -1, None: 0}


@dataclass(frozen=True)
class FeatureColumn:
    """One column of the matrix. ``levels`` are the categories seen in training, sorted; their position is the code."""

    contract: FeatureContract
    levels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.contract.name


@dataclass(frozen=True)
class FeatureEncoder:
    """Column order and category codes, learned from training rows and fixed from then on."""

    columns: tuple[FeatureColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def category_positions(self) -> tuple[int, ...]:
        return tuple(position for position, column in enumerate(self.columns) if column.contract.type == "category")

    @property
    def monotone_constraints(self) -> tuple[int, ...]:
        return tuple(_CONSTRAINTS[column.contract.direction] for column in self.columns)

    def transform(self, rows: pa.Table) -> NDArray[np.float32]:
        """Matrix of shape (rows, columns); missing values and categories never seen in training are NaN.

        Raises:
            KeyError: ``rows`` lacks a column.
        """
        matrix = np.empty((rows.num_rows, len(self.columns)), dtype=np.float32)
        columns = [_numbers(rows.column(column.name), column) for column in self.columns]
        # Some rows at a time: a column written down a whole matrix touches all of its memory.
        for start in range(0, len(matrix), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            for position, numbers in enumerate(columns):
                matrix[part, position] = numbers[part]
        return matrix

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"contract": column.contract.model_dump(mode="json"), "levels": list(column.levels)}
            for column in self.columns
        ]


def encoder_from_json(content: list[dict[str, Any]]) -> FeatureEncoder:
    """Rebuild a stored encoder."""
    columns = [
        FeatureColumn(FeatureContract.model_validate(entry["contract"]), tuple(entry["levels"])) for entry in content
    ]
    return FeatureEncoder(tuple(columns))


def fit_encoder(rows: pa.Table, features: Sequence[FeatureContract]) -> FeatureEncoder:
    """Learn the category levels from training rows, and from nothing else."""
    return FeatureEncoder(tuple(FeatureColumn(feature, _levels(rows, feature)) for feature in features))


def _levels(rows: pa.Table, feature: FeatureContract) -> tuple[str, ...]:
    if feature.type != "category":
        return ()
    return tuple(sorted(value for value in pc.unique(rows.column(feature.name)).to_pylist() if value is not None))


def _numbers(values: pa.ChunkedArray, column: FeatureColumn) -> NDArray[np.float32]:
    if column.contract.type == "category":
        codes = pc.index_in(values, value_set=pa.array(column.levels, pa.string()))
        return np.asarray(codes.cast(pa.float32()).to_numpy())
    return np.asarray(values.cast(pa.float32(), safe=False).to_numpy())

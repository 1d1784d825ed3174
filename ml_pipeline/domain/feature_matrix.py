"""From feature rows to the numbers that LightGBM sees, the same way in training and in scoring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.sql_models import FeatureContract

# The level of a landed category that the training did not see.
OTHER = "__other__"
_ROWS_AT_ONCE = 2048
_CONSTRAINTS = {"increasing": 1, "decreasing": -1, None: 0}


@dataclass(frozen=True)
class FeatureColumn:
    """One column of the matrix.

    Attributes:
        contract: what features.yml says of it.
        levels: the categories seen in training, sorted; their position is the code.
        other: the level after the last one, for every category that the training did not see; None for numbers, and for
            categories of a bundle from before there was one, whose unseen categories are missing values.
    """

    contract: FeatureContract
    levels: tuple[str, ...] = ()
    other: str | None = None

    @property
    def name(self) -> str:
        return self.contract.name

    @property
    def other_code(self) -> float:
        """The code of an unseen category; NaN, which no code equals, where there is no such level."""
        return float("nan") if self.other is None else float(len(self.levels))


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
        """Matrix of shape (rows, columns); missing values are NaN, categories never seen in training have ``other_code``.

        Trees grow without that code, so no split of theirs names it: it goes where every level goes that a split does not
        name, and where missing values and levels too rare for LightGBM to tell apart go.

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
            | ({} if column.other is None else {"other": column.other})
            for column in self.columns
        ]


def encoder_from_json(content: list[dict[str, Any]]) -> FeatureEncoder:
    """Rebuild a stored encoder.

    Raises:
        KeyError, TypeError, ValueError: it is not what ``as_json`` writes.
    """
    return FeatureEncoder(tuple(_column_from_json(entry) for entry in content))


def _column_from_json(entry: dict[str, Any]) -> FeatureColumn:
    other = entry.get("other")
    if other not in {None, OTHER}:
        raise ValueError(f"the level of unseen categories is {other!r}, not {OTHER!r}")
    return FeatureColumn(FeatureContract.model_validate(entry["contract"]), tuple(entry["levels"]), other)


def fit_encoder(rows: pa.Table, features: Sequence[FeatureContract]) -> FeatureEncoder:
    """Learn the category levels from training rows, and from nothing else."""
    return FeatureEncoder(tuple(
        FeatureColumn(feature, _levels(rows, feature), OTHER if feature.type == "category" else None) for feature in features
    ))  # fmt: skip


def _levels(rows: pa.Table, feature: FeatureContract) -> tuple[str, ...]:
    if feature.type != "category":
        return ()
    # Data that bring the name of the level itself mean nothing else by it.
    return tuple(
        sorted(value for value in pc.unique(rows.column(feature.name)).to_pylist() if value not in {None, OTHER})
    )


def _numbers(values: pa.ChunkedArray, column: FeatureColumn) -> NDArray[np.float32]:
    if column.contract.type == "category":
        codes = pc.index_in(values, value_set=pa.array(column.levels, pa.string()))
        if column.other is not None:
            codes = pc.if_else(
                pc.and_(pc.is_valid(values), pc.is_null(codes)), pa.scalar(len(column.levels), pa.int32()), codes
            )
        return np.asarray(codes.cast(pa.float32()).to_numpy())
    return np.asarray(values.cast(pa.float32(), safe=False).to_numpy())

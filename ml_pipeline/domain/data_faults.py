"""Faults of the data, told from drift: what a broken feed does to one night, and no world does overnight."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.drift import DriftContract

# Fewer rows cannot be told from a quiet night.
_LEAST_ROWS = 20
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NightSummary:
    """One night of the features, each of shape (columns,).

    Attributes:
        rows: number of rows.
        missing_share: share of missing values.
        size: median of the sizes of the known values that are not zero; NaN without such.
        is_constant: whether all known values are one and the same.
    """

    rows: int
    missing_share: Floats
    size: Floats
    is_constant: NDArray[np.bool_]


def summarise_night(matrix: NDArray[np.float32]) -> NightSummary:
    """Summary of the encoded rows of one night, shape (rows, columns); missing is NaN."""
    rows, columns = matrix.shape
    if not rows:
        return NightSummary(0, np.full(columns, np.nan), np.full(columns, np.nan), np.zeros(columns, np.bool_))
    sizes, constant = np.full(columns, np.nan), np.zeros(columns, np.bool_)
    for position, values in enumerate(matrix.T):
        known = values[~np.isnan(values)]
        other = np.abs(known[known != 0])
        constant[position] = bool(len(known)) and known.min() == known.max()
        sizes[position] = float(np.median(other)) if len(other) else np.nan
    return NightSummary(rows, np.isnan(matrix).mean(axis=0), sizes, constant)


def find_faults(
    rules: DriftContract, names: Sequence[str], tonight: NightSummary, before: Sequence[NightSummary], *, numbers: Sequence[bool]
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """What is wrong with ``tonight`` by the nights ``before``, in words, by feature; ``""`` for the night as a whole.

    ``numbers`` says which columns are numbers: a category has no size. With fewer than ``min_nights`` before, or few rows
    tonight, no feature can be judged. What was so on an earlier night as well is how things are, and no fault.
    """
    past = [night for night in before if night.rows >= _LEAST_ROWS]
    found: dict[str, tuple[str, ...]] = {}
    if len(past) < rules.min_nights:
        return found
    least, most = min(night.rows for night in past), max(night.rows for night in past)
    if not least / rules.max_volume_ratio <= tonight.rows <= most * rules.max_volume_ratio:
        found[""] = (f"{tonight.rows} rows, {least} to {most} on the nights before",)
    if tonight.rows >= _LEAST_ROWS:
        for position, name in enumerate(names):
            if words := tuple(_of_column(rules, position, tonight, past, is_number=numbers[position])):
                found[name] = words
    return found


def _of_column(
    rules: DriftContract, position: int, tonight: NightSummary, past: Sequence[NightSummary], *, is_number: bool
) -> Iterator[str]:  # fmt: skip
    missing, most = tonight.missing_share[position], max(night.missing_share[position] for night in past)
    if missing > most + rules.max_missing_jump:
        yield f"missing in {missing:.0%} of the rows, at most {most:.0%} before"
    if tonight.is_constant[position] and not any(night.is_constant[position] for night in past):
        yield "one and the same value in every row, never so before"
    sizes = np.array([night.size[position] for night in past])
    sizes = sizes[~np.isnan(sizes)]
    if is_number and len(sizes) >= rules.min_nights and not np.isnan(tonight.size[position]):
        size, ratio = tonight.size[position], rules.max_scale_ratio
        if not sizes.min() / ratio <= size <= sizes.max() * ratio:
            yield f"typical size {size:.4g}, {sizes.min():.4g} to {sizes.max():.4g} before: another unit?"

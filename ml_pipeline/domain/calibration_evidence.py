"""All that is measured of a model's calibration on one set of rows, and its JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.night_bootstrap import Draws
from ml_pipeline.domain.reliability import (
    BinnedError,
    ReliabilityPoint,
    SliceCalibration,
    SliceColumn,
    binned_errors,
    overall_calibration,
    reliability_points,
    slice_calibrations,
)

Floats = NDArray[np.float64]

_PROBABILITY_BARS = 25


@dataclass(frozen=True)
class Calibration:
    """The evidence on one set of rows.

    Attributes:
        rows: number of rows; ``nights`` of them are distinct nights.
        points: by rising probability.
        errors: every way to bin.
        overall: all rows.
        slices: by feature in the order given, then by value.
        probability_bars: rows by probability, in equal steps from 0 to 1.
    """

    rows: int
    nights: int
    points: tuple[ReliabilityPoint, ...]
    errors: tuple[BinnedError, ...]
    overall: SliceCalibration
    slices: tuple[SliceCalibration, ...]
    probability_bars: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, None for what the rows cannot say."""
        content: dict[str, Any] = _without_nan(asdict(self))
        return content


def calibration_from_json(content: Mapping[str, Any]) -> Calibration:
    """The inverse of ``Calibration.as_json``."""

    def known(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {name: math.nan if value is None else value for name, value in entry.items()}

    return Calibration(
        content["rows"], content["nights"],
        tuple(ReliabilityPoint(**known(entry)) for entry in content["points"]),
        tuple(BinnedError(**known(entry)) for entry in content["errors"]),
        SliceCalibration(**known(content["overall"])),
        tuple(SliceCalibration(**known(entry)) for entry in content["slices"]),
        tuple(content["probability_bars"]),
    )  # fmt: skip


def measure_calibration(
    labels: Floats, probabilities: Floats, draws: Draws, *, slices: Sequence[SliceColumn], min_rows: int, seed: int
) -> Calibration:  # fmt: skip
    """Measure ``probabilities`` against ``labels`` (0 or 1).

    Args:
        labels: shape (rows,), at least one row.
        probabilities: shape (rows,).
        draws: samples of the nights of these rows.
        slices: category features of these rows.
        min_rows: slices with fewer are measured, but nothing is found of them.
        seed: of the labels that are dealt out for ``BinnedError.by_chance``.
    """
    return Calibration(
        len(labels), draws.counts.shape[1],
        reliability_points(labels, probabilities, draws),
        binned_errors(labels, probabilities, seed=seed),
        overall_calibration(labels, probabilities, draws),
        tuple(
            found for column in slices
            for found in slice_calibrations(column, labels, probabilities, draws, min_rows=min_rows)
        ),
        tuple(np.histogram(probabilities, bins=_PROBABILITY_BARS, range=(0, 1))[0].tolist()),
    )  # fmt: skip


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value

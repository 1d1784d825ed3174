"""Do the probabilities mean what they say? Reliability with intervals, its error by binning, and slices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.evaluation import CALIBRATION_BINS, binned, equal_mass_bins, weighted_gap
from ml_pipeline.domain.night_bootstrap import Draws, Interval, interval

Floats = NDArray[np.float64]
Bins = NDArray[np.int64]
Binning = Literal["equal mass", "equal width"]
Finding = Literal["in line", "says too little", "says too much", "too few rows"]

BIN_COUNTS = (10, 15, 20, 30)
_CHANCE_DRAWS = 200
_CHANCE_QUANTILE = 0.95


@dataclass(frozen=True)
class ReliabilityPoint:
    """One bin: ``low`` and ``high`` are the 95 % interval of ``observed_share`` over drawn nights; NaN if it has none."""

    mean_probability: float
    observed_share: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class BinnedError:
    """Expected calibration error by one way to bin.

    ``by_chance`` is what a model that means exactly what it says would stay below in 95 of 100 cases, on rows of these
    probabilities whose outcomes do not hang together (consistency resampling: Broecker and Smith, Weather and Forecasting
    2007). Outcomes of one night do, so the true bound lies higher.
    """

    binning: Binning
    bins: int
    error: float
    by_chance: float


@dataclass(frozen=True)
class SliceColumn:
    """A category feature of some rows: ``code_of_row``, of shape (rows,), is the place of each row's value in ``names``."""

    feature: str
    names: tuple[str, ...]
    code_of_row: Bins

    def of_rows(self, chosen: NDArray[np.int64]) -> "SliceColumn":
        """The same for some of the rows."""
        return SliceColumn(self.feature, self.names, self.code_of_row[chosen])


def slice_column(feature: str, values: Sequence[object]) -> SliceColumn:
    """Values in order; None is the value ``not known``."""
    names, codes = np.unique(
        np.array(["not known" if value is None else str(value) for value in values], dtype=str), return_inverse=True
    )
    return SliceColumn(feature, tuple(map(str, names)), codes.astype(np.int64))


@dataclass(frozen=True)
class SliceCalibration:
    """Calibration in the large on some rows.

    Attributes:
        feature: the category feature, empty for all rows.
        value: its value, empty for all rows.
        rows: number of rows.
        mean_probability: what was said, on average.
        observed_share: share of rows with label 1.
        gap: ``mean_probability`` less ``observed_share``.
        low, high: 95 % interval of ``gap`` over drawn nights.
        finding: whether the interval leaves zero, and to which side.
    """

    feature: str
    value: str
    rows: int
    mean_probability: float
    observed_share: float
    gap: float
    low: float
    high: float
    finding: Finding


def reliability_points(
    labels: Floats, probabilities: Floats, draws: Draws, bins: int = CALIBRATION_BINS
) -> tuple[ReliabilityPoint, ...]:
    """Points over bins of equal mass; the bins stay as they are in every sample of nights."""
    bin_of_row = equal_mass_bins(probabilities, bins)
    shares = _sampled_means(labels, bin_of_row, draws)
    around = [interval(sampled) for sampled in shares.T]
    return tuple(
        ReliabilityPoint(said, happened, ends.low, ends.high, rows)
        for (said, happened, rows), ends in zip(binned(labels, probabilities, bin_of_row), around, strict=True)
    )


def overall_calibration(labels: Floats, probabilities: Floats, draws: Draws) -> SliceCalibration:
    """Calibration in the large of all rows, of which there is at least one."""
    everything = SliceColumn("", ("",), np.zeros(len(labels), dtype=np.int64))
    (found,) = slice_calibrations(everything, labels, probabilities, draws, min_rows=1)
    return found


def slice_calibrations(
    column: SliceColumn, labels: Floats, probabilities: Floats, draws: Draws, *, min_rows: int
) -> tuple[SliceCalibration, ...]:
    """Calibration in the large of each value that has a row, in the order of the values."""
    gaps = _sampled_means(probabilities - labels, column.code_of_row, draws)
    present = np.flatnonzero(np.bincount(column.code_of_row))
    found = []
    for code, (said, happened, rows) in zip(present, binned(labels, probabilities, column.code_of_row), strict=True):
        around = interval(gaps[:, code])
        finding = _finding(around) if rows >= min_rows else "too few rows"
        name, gap = column.names[code], said - happened
        found.append(
            SliceCalibration(column.feature, name, rows, said, happened, gap, around.low, around.high, finding)
        )
    return tuple(found)


def binned_errors(
    labels: Floats, probabilities: Floats, *, seed: int, counts: Sequence[int] = BIN_COUNTS
) -> tuple[BinnedError, ...]:
    """Expected calibration error (Naeini et al., AAAI 2015) for each number of bins, of equal mass and of equal width."""
    ways: list[tuple[Binning, int, Bins]] = [
        *(("equal mass", count, equal_mass_bins(probabilities, count)) for count in counts),
        *(("equal width", count, np.minimum((probabilities * count).astype(np.int64), count - 1)) for count in counts),
    ]
    generator = np.random.default_rng(seed)
    dealt = [(generator.random(len(labels)) < probabilities).astype(np.float64) for _ in range(_CHANCE_DRAWS)]
    found = []
    for binning, count, bin_of_row in ways:
        by_chance = [weighted_gap(binned(truth, probabilities, bin_of_row)) for truth in dealt]
        error = weighted_gap(binned(labels, probabilities, bin_of_row))
        found.append(BinnedError(binning, count, error, float(np.quantile(by_chance, _CHANCE_QUANTILE))))
    return tuple(found)


def _sampled_means(values: Floats, group_of_row: Bins, draws: Draws) -> Floats:
    """Mean of ``values`` by group in each sample of nights, shape (samples, groups); NaN where it cannot say."""
    groups, nights = int(group_of_row.max()) + 1, draws.counts.shape[1]
    cell = group_of_row * nights + draws.night_of_row
    sums = np.bincount(cell, weights=values, minlength=groups * nights).reshape(groups, nights)
    rows = np.bincount(cell, minlength=groups * nights).reshape(groups, nights)
    sampled = draws.counts @ rows.T
    means = np.full(sampled.shape, np.nan)
    # One night drawn again and again says nothing of others: a group that only one night knows has no interval.
    is_known = (sampled > 0) & ((rows > 0).sum(axis=1) > 1)
    np.divide(draws.counts @ sums.T, sampled, out=means, where=is_known)
    return means


def _finding(around: Interval) -> Finding:
    if math.isnan(around.low):
        return "too few rows"
    if around.low > 0:
        return "says too much"
    return "says too little" if around.high < 0 else "in line"

"""How sure a gain is: a paired bootstrap that draws whole nights, because rows of one night share its luck."""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.night_bootstrap import Draws, draw_nights, sampled_means

RESAMPLES = 2_000
LEAST_NIGHTS = 5


@dataclass(frozen=True)
class Gain:
    """A mean gain a row and its interval.

    Attributes:
        mean: over all rows; NaN without rows.
        low: the gain is above it with ``confidence`` (one-sided); NaN for fewer than 5 nights, which tell too little.
        high: the gain is below it with ``confidence``.
        rows: number of rows.
        nights: number of nights that were drawn from.
        confidence: one-sided.
    """

    mean: float
    low: float
    high: float
    rows: int
    nights: int
    confidence: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def paired_gain(
    nights: NDArray[np.datetime64], gains: NDArray[np.float64], *, confidence: float, seed: int | np.random.Generator
) -> Gain:
    """The mean of ``gains`` with its bootstrap interval over nights.

    Nights are drawn with replacement, 2,000 times, and the drawn rows' mean is taken: both contestants of a row are
    always drawn together. Percentiles of so few nights are too close to the mean; they are taken further out by the
    ratio of Student's t to the normal (Hesterberg, The American Statistician 2015, 69(4), sec. 5.3: "expanded percentile").
    Nights count as independent; bad weather that lasts makes the true interval somewhat wider.

    Args:
        nights: the night of each row, shape (rows,).
        gains: loss of the other less that of the challenger, shape (rows,).
        confidence: one-sided, at least one half.
        seed: the same draws for the same seed.
    """
    count = len(np.unique(nights))
    mean = float(gains.mean()) if len(gains) else math.nan
    if count < LEAST_NIGHTS:
        return Gain(mean, math.nan, math.nan, len(gains), count, confidence)
    low, high = mean_interval(gains, draw_nights(nights, samples=RESAMPLES, seed=seed), confidence=confidence)
    return Gain(mean, low, high, len(gains), count, confidence)


def mean_interval(values: NDArray[np.float64], draws: Draws, *, confidence: float) -> tuple[float, float]:
    """The interval of the mean of ``values`` (one a row of ``draws``), each end with ``confidence``; see ``paired_gain``."""
    count = len(np.unique(draws.night_of_row))
    return _ends(sampled_means(values, draws), count, confidence) if count >= LEAST_NIGHTS else (math.nan, math.nan)


def mean_intervals(
    values: NDArray[np.float64], group_of_row: NDArray[np.int64], draws: Draws, *, confidence: float
) -> NDArray[np.float64]:
    """The same for each group of rows, numbered from 0; shape (groups, 2). NaN for one with rows on fewer than 5 nights."""
    groups, nights = int(group_of_row.max(initial=-1)) + 1, draws.counts.shape[1]
    cell = group_of_row * nights + draws.night_of_row
    sums = np.bincount(cell, weights=values, minlength=groups * nights).reshape(groups, nights)
    rows = np.bincount(cell, minlength=groups * nights).reshape(groups, nights).astype(np.float64)
    # Not a product of matrices: for ones this small a second thread of BLAS costs more than it saves.
    with np.errstate(invalid="ignore"):
        means = np.einsum("sn,gn->gs", draws.counts, sums) / np.einsum("sn,gn->gs", draws.counts, rows)
    found = np.full((groups, 2), np.nan)
    for group, count in enumerate((rows > 0).sum(axis=1)):
        if count >= LEAST_NIGHTS:
            # A sample may have drawn none of the nights on which the group has a row.
            found[group] = _ends(means[group][~np.isnan(means[group])], int(count), confidence)
    return found


def _ends(means: NDArray[np.float64], nights: int, confidence: float) -> tuple[float, float]:
    tail = _expanded_tail(confidence, nights)
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def _expanded_tail(confidence: float, count: int) -> float:
    normal = NormalDist()
    stretched = math.sqrt(count / (count - 1)) * _student_quantile(normal.inv_cdf(confidence), count - 1)
    return normal.cdf(-stretched)


def _student_quantile(z: float, freedom: int) -> float:
    """Student's t quantile where the normal one is ``z`` (Abramowitz and Stegun 26.7.5, three terms)."""
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + (z**3 + z) / 4 / freedom + second / freedom**2 + third / freedom**3

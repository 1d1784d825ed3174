"""How sure a gain is: a paired bootstrap that draws whole nights, because rows of one night share its luck."""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.night_bootstrap import draw_nights, sampled_means

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
    means = sampled_means(gains, draw_nights(nights, samples=RESAMPLES, seed=seed))
    tail = _expanded_tail(confidence, count)
    low, high = np.quantile(means, (tail, 1 - tail))
    return Gain(mean, float(low), float(high), len(gains), count, confidence)


def _expanded_tail(confidence: float, count: int) -> float:
    normal = NormalDist()
    stretched = math.sqrt(count / (count - 1)) * _student_quantile(normal.inv_cdf(confidence), count - 1)
    return normal.cdf(-stretched)


def _student_quantile(z: float, freedom: int) -> float:
    """Student's t quantile where the normal one is ``z`` (Abramowitz and Stegun 26.7.5, three terms)."""
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + (z**3 + z) / 4 / freedom + second / freedom**2 + third / freedom**3

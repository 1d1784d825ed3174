"""How far a mean over rows can be trusted, where rows of a night are alike and only nights are independent."""

import numpy as np
from numpy.typing import NDArray


def night_error(values: NDArray[np.float64], nights: NDArray[np.datetime64]) -> float:
    """Standard error of the mean of ``values`` where whole nights are drawn; infinite for a single night.

    The ratio estimator of cluster sampling (Cochran, Sampling Techniques, 1977, section 9A.6).

    Args:
        values: one a row, shape (rows,).
        nights: score dates of the rows, shape (rows,).
    """
    _, place = np.unique(nights, return_inverse=True)
    sums = np.bincount(place, weights=values - values.mean())
    if len(sums) < 2:
        return float("inf")
    return float(np.sqrt(len(sums) / (len(sums) - 1) * np.sum(sums**2)) / len(values))

"""The area under the ROC curve of any numbers, and how far chance alone moves it."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def roc_auc(labels: Floats, values: Floats) -> float:
    """Mann-Whitney U over the number of pairs; ties count half. NaN where all labels are alike.

    Args:
        labels: 0 or 1, shape (rows,).
        values: of any scale, shape (rows,), none missing.
    """
    positives, rows = float(labels.sum()), len(labels)
    if not 0 < positives < rows:
        return float("nan")
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(ranks[inverse][labels == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * (rows - positives))


def chance_error(labels: Floats, values: Floats) -> float:
    """Standard deviation of the area where labels are dealt out to the rows at random, shape and counts as given.

    Exact for exchangeable labels, ties included (Lehmann, Nonparametrics, 1975, section 1.4): where nothing can be
    learnt the area has mean one half and this deviation, whatever the values are. NaN where all labels are alike.
    """
    positives, rows = float(labels.sum()), len(labels)
    if not 0 < positives < rows:
        return float("nan")
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    tied = float((counts**3 - counts).sum()) / (rows * (rows - 1))
    return float(np.sqrt((rows + 1 - tied) / (12 * positives * (rows - positives))))

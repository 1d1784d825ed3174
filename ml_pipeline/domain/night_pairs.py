"""Areas under the ROC curve for many draws of nights at the cost of one."""

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.night_bootstrap import Draws

Floats = NDArray[np.float64]


def sampled_roc_auc(labels: Floats, scores: Floats, draws: Draws) -> Floats:
    """Area under the ROC curve in each sample of nights, shape (samples,); ties count half, NaN where one class is absent.

    Pairs of a positive row of one night and a negative row of another are counted once for all samples. What a sample
    changes is only how often each pair of nights comes: a sum over nights times nights, not over rows.
    """
    nights = draws.counts.shape[1]
    values, level = np.unique(scores, return_inverse=True)
    is_positive = labels == 1
    negatives = np.zeros((len(values), nights))
    np.add.at(negatives, (level[~is_positive], draws.night_of_row[~is_positive]), 1.0)
    below = np.cumsum(negatives, axis=0) - negatives / 2
    won = np.zeros((nights, nights))
    np.add.at(won, draws.night_of_row[is_positive], below[level[is_positive]])
    positives = np.bincount(draws.night_of_row[is_positive], minlength=nights)
    pairs = (draws.counts @ positives) * (draws.counts @ negatives.sum(axis=0))
    areas = np.full(len(pairs), np.nan)
    np.divide(((draws.counts @ won) * draws.counts).sum(axis=1), pairs, out=areas, where=pairs > 0)
    return areas

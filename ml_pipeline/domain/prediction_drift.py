"""How far the probabilities of late nights lie from those that the model gave on its own test block, and from lately.

Probabilities need no label, and gather every input in proportion to what the model makes of it (Breck et al., "The ML Test
Score", 2017, Monitor 7).
"""

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.drift import ReferenceBins, count_rows

_BINS = 10

Floats = NDArray[np.float64]


def probability_bins(reference: Floats) -> ReferenceBins:
    """Cut at the deciles of the ``reference`` probabilities, shape (rows,); one column, ``probability``."""
    values = reference.astype(np.float32)
    levels = np.arange(1, _BINS) / _BINS
    cuts = np.unique(np.quantile(values, levels).astype(np.float32)) if len(values) else np.empty(0, dtype=np.float32)
    empty = ReferenceBins(("probability",), (cuts,), (len(cuts) + 2,), np.empty((0, 0), dtype=np.int64))
    return ReferenceBins(empty.names, empty.edges, empty.bin_counts, count_probabilities(empty, reference))


def count_probabilities(bins: ReferenceBins, probabilities: Floats) -> NDArray[np.int64]:
    """How many rows fall into each bin, shape (1, bins)."""
    return count_rows(bins, probabilities.astype(np.float32)[:, np.newaxis])

"""Input drift: how far the features of late nights lie from the rows that the model was trained on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.feature_matrix import FeatureEncoder

_QUANTILE_BINS = 10
# Half a row in every bin keeps the logarithm finite where a bin is empty on one side.
_SMOOTHING = 0.5


@dataclass(frozen=True)
class ReferenceBins:
    """Bins of each column, and how many reference rows fall into each; bin 0 holds missing values.

    ``edges[c]`` are inner edges of a number column; a category column has one bin a level. ``counts`` has shape
    (columns, bins), padded with zeros.
    """

    names: tuple[str, ...]
    edges: tuple[NDArray[np.float32], ...]
    bin_counts: tuple[int, ...]
    counts: NDArray[np.int64]


def reference_bins(encoder: FeatureEncoder, matrix: NDArray[np.float32]) -> ReferenceBins:
    """Cut each column at the deciles of the reference rows (``matrix``, shape (rows, columns))."""
    edges = []
    for position, column in enumerate(encoder.columns):
        known = matrix[:, position][~np.isnan(matrix[:, position])]
        if column.contract.type == "category":
            cuts = np.arange(1, len(column.levels), dtype=np.float32) - np.float32(0.5)
        elif len(known):
            cuts = np.unique(np.quantile(known, np.arange(1, _QUANTILE_BINS) / _QUANTILE_BINS).astype(np.float32))
        else:
            cuts = np.empty(0, dtype=np.float32)
        edges.append(cuts)
    empty = ReferenceBins(
        encoder.names, tuple(edges), tuple(len(cuts) + 2 for cuts in edges), np.empty((0, 0), np.int64)
    )
    return ReferenceBins(empty.names, empty.edges, empty.bin_counts, count_rows(empty, matrix))


def count_rows(bins: ReferenceBins, matrix: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many rows of ``matrix`` fall into each bin; shape (columns, bins). Counts of nights may be added up."""
    counts = np.zeros((len(bins.names), max(bins.bin_counts, default=0)), dtype=np.int64)
    for position, cuts in enumerate(bins.edges):
        values = matrix[:, position]
        places = np.where(np.isnan(values), 0, np.searchsorted(cuts, values, side="right") + 1)
        counts[position] = np.bincount(places, minlength=counts.shape[1])
    return counts


def stability_index(bins: ReferenceBins, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Population stability index of each column (Siddiqi, Credit Risk Scorecards, 2006); shape (columns,).

    0 for equal distributions; above 0.25 is usually called a major shift. NaN without current rows.
    """
    values = np.full(len(bins.names), np.nan)
    if not counts.sum():
        return values
    for position, size in enumerate(bins.bin_counts):
        expected = bins.counts[position, :size] + _SMOOTHING
        actual = counts[position, :size] + _SMOOTHING
        expected, actual = expected / expected.sum(), actual / actual.sum()
        values[position] = float(np.sum((actual - expected) * np.log(actual / expected)))
    return values

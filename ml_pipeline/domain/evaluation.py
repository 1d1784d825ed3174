"""How good probabilities are: the metrics of the house, defined once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.roc import roc_auc

Floats = NDArray[np.float64]

CALIBRATION_BINS = 15
_SMALLEST = 1e-6


@dataclass(frozen=True)
class Metrics:
    """Metrics of one set of rows; NaN where the rows cannot say (no rows, or one class only).

    Attributes:
        rows: number of rows.
        positive_share: share of rows with label 1.
        mean_probability: mean predicted probability.
        log_loss: mean negative log likelihood, in nats.
        brier: mean squared error of the probability (Brier 1950).
        roc_auc: area under the ROC curve.
        average_precision: area under the precision-recall curve, as a step function.
        calibration_error: expected calibration error over 15 bins of equal mass (Naeini et al., AAAI 2015).
    """

    rows: int
    positive_share: float
    mean_probability: float
    log_loss: float
    brier: float
    roc_auc: float
    average_precision: float
    calibration_error: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def evaluate(labels: Floats, probabilities: Floats) -> Metrics:
    """Metrics of ``probabilities`` against ``labels`` (0 or 1), both of shape (rows,).

    Raises:
        ValueError: a probability is not finite or outside [0, 1].
    """
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError("a probability is not a number in [0, 1]")
    if not len(labels):
        return Metrics(0, *[float("nan")] * 7)
    return Metrics(
        len(labels),
        float(labels.mean()),
        float(probabilities.mean()),
        float(row_log_loss(labels, probabilities).mean()),
        float(np.mean((probabilities - labels) ** 2)),
        roc_auc(labels, probabilities),
        _average_precision(labels, probabilities) if labels.sum() else float("nan"),
        calibration_error(labels, probabilities),
    )


def row_log_loss(labels: Floats, probabilities: Floats) -> Floats:
    """Negative log likelihood of each row; probabilities are kept one millionth away from 0 and 1."""
    inside = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(-(labels * np.log(inside) + (1 - labels) * np.log1p(-inside)))


def equal_mass_bins(probabilities: Floats, bins: int = CALIBRATION_BINS) -> NDArray[np.int64]:
    """Bin of each row, numbered from 0 by rising probability; shape (rows,).

    Bins hold equally many rows as far as rows of equal probability stay together: an isotonic map makes many of them, and
    parting them by their order in the table would make the error depend on that order.
    """
    ordered = np.sort(probabilities)
    sizes = [len(part) for part in np.array_split(ordered, max(1, min(bins, len(ordered))))]
    edges = np.unique(ordered[np.cumsum(sizes)[:-1]])
    return np.unique(np.searchsorted(edges, probabilities, side="right"), return_inverse=True)[1].astype(np.int64)


def reliability(labels: Floats, probabilities: Floats, bins: int = CALIBRATION_BINS) -> list[tuple[float, float, int]]:
    """(mean probability, observed share, rows) of bins of equal mass, in order of probability."""
    return binned(labels, probabilities, equal_mass_bins(probabilities, bins))


def binned(labels: Floats, probabilities: Floats, bin_of_row: NDArray[np.int64]) -> list[tuple[float, float, int]]:
    """(mean probability, observed share, rows) of each bin that has a row, in order of its number."""
    rows = np.bincount(bin_of_row)
    said, happened = (np.bincount(bin_of_row, weights=values) for values in (probabilities, labels))
    return [
        (float(said[bin_] / rows[bin_]), float(happened[bin_] / rows[bin_]), int(rows[bin_]))
        for bin_ in np.flatnonzero(rows)
    ]


def calibration_error(labels: Floats, probabilities: Floats, bins: int = CALIBRATION_BINS) -> float:
    """Mean distance between probability and observed share over bins of equal mass, weighted by rows."""
    return weighted_gap(reliability(labels, probabilities, bins))


def weighted_gap(points: Sequence[tuple[float, float, int]]) -> float:
    """Mean distance between probability and observed share of ``points``, weighted by rows; NaN if there is none."""
    total = sum(rows for _, _, rows in points)
    return sum(abs(mean - share) * rows for mean, share, rows in points) / total if total else float("nan")


def _average_precision(labels: Floats, probabilities: Floats) -> float:
    """Sum of precision times the step in recall over falling thresholds; equal probabilities are one step."""
    values, inverse = np.unique(-probabilities, return_inverse=True)
    hits = np.bincount(inverse, weights=labels, minlength=len(values))
    rows = np.bincount(inverse, minlength=len(values))
    precision = np.cumsum(hits) / np.cumsum(rows)
    return float(np.sum(precision * hits) / labels.sum())

"""Intervals of metrics, and of the gain of one model over others, by drawing whole nights anew.

Rows of one night share their weather and their crowds, so that rows drawn singly would give intervals that are far too
narrow. Whole nights are drawn with replacement (a bootstrap of clusters: Field and Welsh, JRSS B 2007), the same ones for
every subject, so that what is hard for all of them cancels in a difference.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.evaluation import row_log_loss

Floats = NDArray[np.float64]

BOOTSTRAPPED = ("log_loss", "brier", "roc_auc", "average_precision")
LOWER_IS_BETTER = ("log_loss", "brier", "calibration_error")


@dataclass(frozen=True)
class Interval:
    """Ends of a 95 % percentile interval; NaN where fewer than two nights leave nothing to draw."""

    low: float
    high: float


@dataclass(frozen=True)
class Draws:
    """How often each night is in each sample: ``counts`` has shape (samples, nights); ``night_of_row`` (rows,)."""

    counts: Floats
    night_of_row: NDArray[np.int64]


def draw_nights(nights: NDArray[np.datetime64], *, samples: int, seed: int | np.random.Generator) -> Draws:
    """Draw as many nights as there are, ``samples`` times, from the score dates of the rows.

    A generator in the place of a seed is drawn from where it stands.
    """
    unique, night_of_row = np.unique(nights, return_inverse=True)
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(len(unique), np.full(len(unique), 1 / len(unique)), size=samples)
    return Draws(counts.astype(np.float64), night_of_row.astype(np.int64))


def sampled_metrics(labels: Floats, probabilities: Floats, draws: Draws) -> dict[str, Floats]:
    """Log loss, Brier score, ROC AUC and average precision in each sample, each of shape (samples,)."""
    losses = {"log_loss": row_log_loss(labels, probabilities), "brier": (probabilities - labels) ** 2}
    found = {name: sampled_means(values, draws) for name, values in losses.items()}
    return found | sampled_areas(labels, probabilities, draws)


def sampled_means(values: Floats, draws: Draws) -> Floats:
    """The mean of ``values`` (one a row) in each sample, of shape (samples,)."""
    nights = draws.counts.shape[1]
    rows = np.bincount(draws.night_of_row, minlength=nights).astype(np.float64)
    sums = np.bincount(draws.night_of_row, weights=values, minlength=nights)
    return np.asarray((draws.counts @ sums) / (draws.counts @ rows))


def sampled_areas(labels: Floats, scores: Floats, draws: Draws) -> dict[str, Floats]:
    """ROC AUC and average precision in each sample, each of shape (samples,); NaN where one class is absent."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    night, hit = draws.night_of_row[order], labels[order]
    areas = np.array([_areas(sample[night], hit, starts) for sample in draws.counts]).reshape(-1, 2)
    return {"roc_auc": areas[:, 0], "average_precision": areas[:, 1]}


def _areas(weights: Floats, hits: Floats, starts: NDArray[np.int64]) -> tuple[float, float]:
    """ROC AUC and average precision of weighted rows in falling order; ``starts`` begin the groups of equal probability."""
    positives = np.add.reduceat(weights * hits, starts)
    rows = np.add.reduceat(weights, starts)
    negatives = rows - positives
    found, seen = np.cumsum(positives), np.cumsum(rows)
    total, others = found[-1], seen[-1] - found[-1]
    if not total or not others:
        return float("nan"), float("nan")
    # Each negative is passed by the positives above it; a tie counts half.
    area = float(np.sum(negatives * (found - positives / 2)) / (total * others))
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    return area, float(np.sum(precision * positives) / total)


def interval(samples: Floats) -> Interval:
    """The middle 95 % of ``samples``; those that could not be measured are left out."""
    known = samples[~np.isnan(samples)]
    # One night drawn again and again is the same sample each time, which is no certainty.
    if not len(known) or np.ptp(known) == 0:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(low), float(high))


def gain(metric: str, model: Floats, other: Floats) -> Floats:
    """How much better ``model`` is than ``other``, so that more is better whatever the metric."""
    return np.asarray(other - model if metric in LOWER_IS_BETTER else model - other)

"""What a model loses without a group of features, with the error that few nights leave."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.evaluation import row_log_loss
from ml_pipeline.domain.night_bootstrap import Draws, draw_nights, sampled_means
from ml_pipeline.domain.night_pairs import sampled_roc_auc
from ml_pipeline.domain.roc import roc_auc
from ml_pipeline.domain.scoring import Scorer, raw_scores

Floats = NDArray[np.float64]

_DRAWS = 200
_LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; NaN where the rows cannot say."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.estimate):
            return "not known"
        return f"{self.estimate:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


@dataclass(frozen=True)
class GroupAblation:
    """What is lost where the values of ``features`` are shuffled; both losses are positive where the group helps.

    Attributes:
        group: name of the group.
        features: its features, all shuffled by one order.
        log_loss_lost: by how much the log loss rises.
        roc_auc_lost: by how much the area under the ROC curve falls.
    """

    group: str
    features: tuple[str, ...]
    log_loss_lost: Interval
    roc_auc_lost: Interval


def ablate_groups(
    scorer: Scorer, groups: Mapping[str, Sequence[str]], *,
    matrix: NDArray[np.float32], labels: Floats, nights: NDArray[np.datetime64], seed: int, threads: int,
) -> tuple[GroupAblation, ...]:  # fmt: skip
    """Shuffle each group of features among all rows and measure again; the dearest loss first, equals by name.

    Permutation importance (Breiman, Machine Learning 2001) of whole groups: features that say the same stand in for each
    other, so one alone is never missed. Intervals are percentiles of a bootstrap over nights, because rows of one night
    share their weather; the same draws for all groups. One shuffle is measured, its own error is not in the interval.

    Args:
        scorer: encoder, trees and calibrator.
        groups: feature names by group; a feature that the model does not have is an error.
        matrix: rows of the test block, shape (rows, columns).
        labels: 0 or 1, shape (rows,).
        nights: night of each row, shape (rows,).
        seed: of the shuffle and of the draws.
        threads: of LightGBM; does not change the result.

    Raises:
        ValueError: a group names a feature that is not in the model.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    draws = draw_nights(nights, samples=_DRAWS, seed=generator)
    whole = _Measured.of(scorer, matrix, labels, draws, threads)
    found = []
    for group, features in groups.items():
        places = _places(scorer, group, features)
        shuffled = matrix.copy()
        shuffled[:, places] = matrix[order][:, places]
        without = _Measured.of(scorer, shuffled, labels, draws, threads)
        loss, area = _interval(without.log_loss - whole.log_loss), _interval(whole.roc_auc - without.roc_auc)
        found.append(GroupAblation(group, tuple(features), loss, area))
    return tuple(sorted(found, key=lambda one: (-one.log_loss_lost.estimate, one.group)))


def _places(scorer: Scorer, group: str, features: Sequence[str]) -> list[int]:
    unknown = sorted(set(features) - set(scorer.encoder.names))
    if unknown:
        raise ValueError(f"group {group} names {unknown}, which the model does not have; leave them out of the group")
    return [scorer.encoder.names.index(feature) for feature in features]


@dataclass(frozen=True)
class _Measured:
    """Log loss and area on all rows, then on each draw; both of shape (1 + draws,)."""

    log_loss: Floats
    roc_auc: Floats

    @classmethod
    def of(cls, scorer: Scorer, matrix: NDArray[np.float32], labels: Floats, draws: Draws, threads: int) -> "_Measured":
        scores = raw_scores(scorer, matrix, threads=threads)
        losses = row_log_loss(labels, scorer.calibrator.probability(scores))
        drawn, areas = sampled_means(losses, draws), sampled_roc_auc(labels, scores, draws)
        return cls(np.concatenate([[losses.mean()], drawn]), np.concatenate([[roc_auc(labels, scores)], areas]))


def _interval(lost: Floats) -> Interval:
    drawn = lost[1:][~np.isnan(lost[1:])]
    low, high = np.quantile(drawn, _LEVELS) if len(drawn) else (np.nan, np.nan)
    return Interval(float(lost[0]), float(low), float(high))

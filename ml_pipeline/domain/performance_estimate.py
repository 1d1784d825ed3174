"""Performance before labels: what the probabilities themselves say it is, if they are calibrated.

Confidence-based performance estimation (NannyML's CBPE; Guillory et al., "Predicting with Confidence on Unseen
Distributions", ICCV 2021; Garg et al., ICLR 2022): a row of probability p is a positive with probability p, so every
metric has an expectation. That holds under a shift of the features alone. When the relation of features and label changes
(concept drift) it is wrong, and says nothing of it; so each estimate is graded once its labels land, and is not to be
decided by while the last grades are bad.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.performance import EstimateContract
from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.evaluation import row_log_loss
from ml_pipeline.nights import Night

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PerformanceEstimate:
    """Expected metrics of rows whose labels are not known; NaN where the rows cannot say.

    Attributes:
        rows: number of rows.
        log_loss: expected mean negative log likelihood, in nats: the mean entropy of the probabilities.
        log_loss_deviation: standard deviation of the realised one around it if the probabilities are right and rows
            independent.
        brier: expected mean squared error.
        roc_auc: expected pairs in order, over expected pairs.
        mean_cost: expected cost a row of the decisions made, in the unit of the project's costs.
    """

    rows: int
    log_loss: float
    log_loss_deviation: float
    brier: float
    roc_auc: float
    mean_cost: float


def estimate_performance(
    probabilities: Floats, acts: NDArray[np.bool_], costs: DecisionContract
) -> PerformanceEstimate:  # fmt: skip
    """Expected metrics of ``probabilities`` and of the decisions ``acts``, both of shape (rows,).

    Raises:
        ValueError: a probability is not finite or outside [0, 1].
    """
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        raise ValueError("a probability is not a number in [0, 1]")
    rows = len(probabilities)
    if not rows:
        return PerformanceEstimate(0, *[math.nan] * 5)
    yes, no = row_log_loss(np.ones(rows), probabilities), row_log_loss(np.zeros(rows), probabilities)
    spread = probabilities * (1 - probabilities)
    cost = np.where(acts, costs.cost_false_alarm * (1 - probabilities), costs.cost_miss * probabilities)
    return PerformanceEstimate(
        rows,
        float(np.mean(probabilities * yes + (1 - probabilities) * no)),
        float(np.sqrt(np.sum(spread * (yes - no) ** 2)) / rows),
        float(np.mean(spread)),
        _expected_auc(probabilities),
        float(np.mean(cost)),
    )


def _expected_auc(probabilities: Floats) -> float:
    """Expected concordant pairs, ties half, over expected pairs; a row makes no pair with itself. NaN without pairs."""
    values, row_counts = np.unique(probabilities, return_counts=True)
    positives, negatives = values * row_counts, (1 - values) * row_counts
    below = np.cumsum(negatives) - negatives
    with_itself = float(np.sum(probabilities * (1 - probabilities)))
    pairs = float(positives.sum() * negatives.sum()) - with_itself
    concordant = float(np.sum(positives * (below + negatives / 2))) - with_itself / 2
    return concordant / pairs if pairs > 0 else math.nan


@dataclass(frozen=True)
class GradedNight:
    """What was expected of one scored night before its labels, and what came; log losses are means over ``rows``."""

    scored_night: Night
    rows: int
    expected_log_loss: float
    realised_log_loss: float


@dataclass(frozen=True)
class EstimateGrade:
    """Whether estimates may be decided by, and why. ``error`` is realised less expected; NaN with too few nights."""

    is_trusted: bool
    error: float
    nights: int
    reasons: tuple[str, ...]


def grade_estimates(rules: EstimateContract, graded: Sequence[GradedNight]) -> EstimateGrade:
    """Grade the newest ``rules.graded_nights`` of ``graded``, in order of the night; nights without rows are left out.

    An estimate that was never graded is not trusted. It is switched off while the error of the newest nights is above
    ``max_error`` in size, and comes back when it no longer is.
    """
    newest = [night for night in graded if night.rows and not math.isnan(night.expected_log_loss)][
        -rules.graded_nights :
    ]
    if len(newest) < rules.graded_nights:
        told = f"estimates are not trusted: {len(newest)} of {rules.graded_nights} nights are graded"
        return EstimateGrade(False, math.nan, len(newest), (told,))
    rows = sum(night.rows for night in newest)
    error = sum(night.rows * (night.realised_log_loss - night.expected_log_loss) for night in newest) / rows
    span = f"{newest[0].scored_night} to {newest[-1].scored_night}"
    told = f"realised log loss lies {error:+.4f} from the expected one on {span}, {rules.max_error:.4f} is the limit"
    is_trusted = abs(error) <= rules.max_error
    verdict = "estimates are trusted" if is_trusted else "estimates are switched off for decisions"
    return EstimateGrade(is_trusted, error, len(newest), (verdict, told))

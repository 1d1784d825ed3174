"""Models that anyone could have without trees. A model that cannot beat them is not worth its upkeep.

Three compete: the constant share of positives of the train block, the last-known rate (the declared baseline feature),
and a logistic regression on ten features. All of them learn from the train block and from nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.evaluation import Metrics, evaluate
from ml_pipeline.domain.roc import roc_auc

Floats = NDArray[np.float64]

CONSTANT, BASELINE, LOGISTIC = "constant", "baseline", "logistic"
LOGISTIC_FEATURES = 10
# Another machine may fit other last digits, and bundles that are equal shall be equal bytes.
_DIGITS = 9
# Ranking 80 features needs no more: the standard error of an area on so many rows is about 0.003.
_RANKING_ROWS = 50_000


@dataclass(frozen=True)
class LogisticModel:
    """A logistic regression as numbers, one entry a feature each.

    Attributes:
        features: names, the one that ranks best first.
        medians: of the train block; they stand for missing values.
        means: of the train block, after that.
        deviations: standard deviations of the train block, 1 for a feature that never varies.
        weights: of the standardised features, in log odds.
        intercept: log odds where every feature has its mean.
    """

    features: tuple[str, ...]
    medians: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def probability(self, rows: pa.Table) -> Floats:
        """Probabilities of ``rows``, shape (rows,). Raises KeyError if a column is missing."""
        matrix = np.column_stack([_filled(rows, *one) for one in zip(self.features, self.medians, strict=True)])
        standardised = (matrix - np.array(self.means)) / np.array(self.deviations)
        return np.asarray(1.0 / (1.0 + np.exp(-(standardised @ np.array(self.weights) + self.intercept))))


@dataclass(frozen=True)
class SimpleModels:
    """What the simple models learned: the share of positives of the train block, and the logistic regression."""

    positive_share: float
    baseline_feature: str
    logistic: LogisticModel

    def probabilities(self, rows: pa.Table) -> dict[str, Floats]:
        """Probabilities of ``rows`` by simple model, each of shape (rows,)."""
        rates = _column(rows, self.baseline_feature)
        return {
            CONSTANT: np.full(rows.num_rows, self.positive_share),
            BASELINE: np.where(np.isnan(rates), self.positive_share, rates),
            LOGISTIC: self.logistic.probability(rows),
        }

    def measure(self, rows: pa.Table, labels: Floats) -> dict[str, Metrics]:
        """Metrics of each simple model on ``rows`` with their labels (0 or 1): what a gate holds a challenger against."""
        return metrics_by_subject(labels, self.probabilities(rows))


def metrics_by_subject(labels: Floats, probabilities: Mapping[str, Floats]) -> dict[str, Metrics]:
    """Metrics of several models on the same rows."""
    return {subject: evaluate(labels, values) for subject, values in probabilities.items()}


def fit_simple_models(
    rows: pa.Table, labels: Floats, *, features: Sequence[FeatureContract], baseline_feature: str
) -> SimpleModels:
    """Learn from the rows of a train block, of which there are labels (0 or 1) of shape (rows,).

    Raises:
        ValueError: no feature is a number, or all labels are alike.
    """
    return SimpleModels(float(labels.mean()), baseline_feature, fit_logistic(rows, labels, features))


def fit_logistic(rows: pa.Table, labels: Floats, features: Sequence[FeatureContract]) -> LogisticModel:
    """Logistic regression on the ten numeric features that order the rows best, each alone, either way round.

    Raises:
        ValueError: no feature is a number, or all labels are alike.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if not 0 < labels.sum() < len(labels):
        raise ValueError(f"a logistic regression needs both outcomes, all {len(labels)} labels are alike; train later")
    names = strongest_features(rows, labels, features)
    columns = [_column(rows, name) for name in names]
    medians = [0.0 if np.isnan(values).all() else float(np.nanmedian(values)) for values in columns]
    matrix = np.column_stack([_filled(rows, *one) for one in zip(names, medians, strict=True)])
    means, deviations = matrix.mean(axis=0), matrix.std(axis=0)
    deviations = np.where(deviations > 0, deviations, 1.0)
    # On one thread: sums that threads share out are added in another order, and the same inputs must give the same bytes.
    with threadpool_limits(1):
        model = LogisticRegression(max_iter=1000).fit((matrix - means) / deviations, labels)
    return LogisticModel(
        names, _rounded(medians), _rounded(means), _rounded(deviations), _rounded(model.coef_[0]),
        _rounded(model.intercept_)[0],
    )  # fmt: skip


def strongest_features(rows: pa.Table, labels: Floats, features: Sequence[FeatureContract]) -> tuple[str, ...]:
    """The ten numeric features whose area under the ROC curve is farthest from one half; of equals the first by name.

    Missing values count as the median. Of very many rows every n-th is looked at.
    """
    chosen = np.arange(0, len(labels), max(1, len(labels) // _RANKING_ROWS))
    distance = {}
    for feature in features:
        if feature.type == "number" and len(values := _column(rows, feature.name)):
            median = 0.0 if np.isnan(values).all() else float(np.nanmedian(values))
            area = roc_auc(labels[chosen], np.where(np.isnan(values), median, values)[chosen])
            distance[feature.name] = abs(area - 0.5)
    if not distance:
        raise ValueError("a logistic regression needs a numeric feature, there is none; declare one in features/")
    return tuple(sorted(distance, key=lambda name: (-distance[name], name))[:LOGISTIC_FEATURES])


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)


def _column(rows: pa.Table, name: str) -> Floats:
    return np.asarray(rows.column(name).cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _filled(rows: pa.Table, name: str, median: float) -> Floats:
    values = _column(rows, name)
    return np.where(np.isnan(values), median, values)

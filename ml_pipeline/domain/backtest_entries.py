"""From the predictions of a month, or of all months together, to the rows of the backtest table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.night_bootstrap import BOOTSTRAPPED, draw_nights, gain, interval, sampled_metrics
from ml_pipeline.domain.simple_models import metrics_by_subject
from ml_pipeline.nights import Night

Floats = NDArray[np.float64]

MODEL = "model"
METRICS = (*BOOTSTRAPPED, "calibration_error", "positive_share", "mean_probability")


@dataclass(frozen=True)
class Predictions:
    """Rows with a known label, with each subject's probability of them.

    Attributes:
        rows_scored: how many rows there were, also without a known label.
        nights: score dates, shape (rows,).
        labels: 0 or 1, shape (rows,).
        subjects: probabilities by subject, each of shape (rows,); ``model`` is among them.
    """

    rows_scored: int
    nights: NDArray[np.datetime64]
    labels: Floats
    subjects: Mapping[str, Floats]


def pooled(months: Sequence[Predictions]) -> Predictions:
    """All months as one."""
    return Predictions(
        sum(month.rows_scored for month in months),
        np.concatenate([month.nights for month in months]),
        np.concatenate([month.labels for month in months]),
        {name: np.concatenate([month.subjects[name] for month in months]) for name in months[0].subjects},
    )


def entries(
    month: Night, predictions: Predictions, *, is_pooled: bool, samples: int, seed: int
) -> list[dict[str, object]]:
    """One row per subject and metric, published with ``month``.

    Each has the subject's value with a 95 % interval, and the model's gain over the subject with another, both from the
    same draws of whole nights. More gain is better whatever the metric. Calibration error and shares have none: the error
    of a sample that holds nights twice lies above that of the rows, so that an interval of it would not hold the value.
    """
    draws = draw_nights(predictions.nights, samples=samples, seed=seed)
    values = {
        subject: found.as_dict()
        for subject, found in metrics_by_subject(predictions.labels, predictions.subjects).items()
    }
    sampled = {name: sampled_metrics(predictions.labels, one, draws) for name, one in predictions.subjects.items()}
    span: dict[str, object] = {
        SCORE_DATE: month, "is_pooled": is_pooled, "rows_scored": predictions.rows_scored, "rows": len(predictions.labels),
        "first_scored_night": predictions.nights.min().item(), "last_scored_night": predictions.nights.max().item(),
    }  # fmt: skip
    rows = []
    for subject in predictions.subjects:
        for metric in METRICS:
            row = {**span, "subject": subject, "metric": metric, "value": values[subject][metric]}
            if metric in BOOTSTRAPPED:
                around = interval(sampled[subject][metric])
                row |= {"value_low": around.low, "value_high": around.high}
                if subject != MODEL:
                    row |= _gains(metric, values, sampled, subject)
            rows.append(row)
    return rows


def _gains(
    metric: str,
    values: Mapping[str, Mapping[str, float]],
    sampled: Mapping[str, Mapping[str, Floats]],
    subject: str,
) -> dict[str, object]:
    around = interval(gain(metric, sampled[MODEL][metric], sampled[subject][metric]))
    mine, theirs = np.array([values[MODEL][metric]]), np.array([values[subject][metric]])
    return {
        "model_gain": float(gain(metric, mine, theirs)[0]), "model_gain_low": around.low, "model_gain_high": around.high,
    }  # fmt: skip

"""Intervals of a model's metrics, of the baseline's, and of the gain between them, from the same draws of nights."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.night_bootstrap import BOOTSTRAPPED, Draws, Interval, gain, interval, sampled_metrics

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gain:
    """How much better the model is than the baseline, with its 95 % interval; above 0 is better, whatever the metric."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class EvaluationIntervals:
    """95 % intervals by metric: ``log_loss``, ``brier``, ``roc_auc``, ``average_precision``; NaN where nights are too few.

    Calibration error has none: that of a sample which holds nights twice lies above that of the rows.
    """

    samples: int
    model: dict[str, Interval]
    baseline: dict[str, Interval]
    gain: dict[str, Gain]

    def as_json(self) -> dict[str, Any]:
        content = asdict(self)
        for part in ("model", "baseline", "gain"):
            content[part] = {
                name: {end: None if math.isnan(value) else value for end, value in ends.items()}
                for name, ends in content[part].items()
            }
        return content


def intervals_from_json(content: Mapping[str, Any]) -> EvaluationIntervals:
    """The inverse of ``EvaluationIntervals.as_json``."""

    def known(part: str) -> dict[str, dict[str, float]]:
        return {
            name: {end: math.nan if value is None else value for end, value in ends.items()}
            for name, ends in content[part].items()
        }

    return EvaluationIntervals(
        content["samples"],
        {name: Interval(**ends) for name, ends in known("model").items()},
        {name: Interval(**ends) for name, ends in known("baseline").items()},
        {name: Gain(**ends) for name, ends in known("gain").items()},
    )


def evaluation_intervals(labels: Floats, model: Floats, baseline: Floats, draws: Draws) -> EvaluationIntervals:
    """Intervals from ``draws`` of the nights of the rows; labels and probabilities are of shape (rows,)."""
    mine, theirs = (sampled_metrics(labels, values, draws) for values in (model, baseline))
    value, other = (evaluate(labels, values).as_dict() for values in (model, baseline))
    gains = {}
    for name in BOOTSTRAPPED:
        around = interval(gain(name, mine[name], theirs[name]))
        found = gain(name, np.array([value[name]]), np.array([other[name]]))
        gains[name] = Gain(float(found[0]), around.low, around.high)
    return EvaluationIntervals(
        len(draws.counts),
        {name: interval(mine[name]) for name in BOOTSTRAPPED},
        {name: interval(theirs[name]) for name in BOOTSTRAPPED},
        gains,
    )

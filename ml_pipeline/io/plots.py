"""Plots of one evaluation, as small PNG files: they are kept in Dagster's event log as well."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_MODEL, _BASELINE, _IDEAL = "#1f5fa8", "#c8552b", "#9a9a9a"


class ReliabilityPoint(Protocol):
    """A bin of rows; ``low`` and ``high`` are NaN where its share has no interval."""

    @property
    def mean_probability(self) -> float: ...
    @property
    def observed_share(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def draw_evaluation(
    folder: Path, *, labels: NDArray[np.float64], model: NDArray[np.float64], baseline: NDArray[np.float64],
    reliability_model: Sequence[ReliabilityPoint], reliability_baseline: Sequence[ReliabilityPoint],
) -> dict[str, Path]:  # fmt: skip
    """Draw calibration with intervals, ROC, precision-recall and score histogram of model and baseline.

    Returns:
        Path by title.
    """
    from matplotlib.figure import Figure
    from sklearn.metrics import precision_recall_curve, roc_curve

    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for title, axis_names in _AXES.items():
        figure = Figure(figsize=(4.2, 3.4), dpi=80, layout="constrained")
        axes = figure.subplots()
        for name, scores, points, colour in (
            ("model", model, reliability_model, _MODEL), ("baseline", baseline, reliability_baseline, _BASELINE),
        ):  # fmt: skip
            if title == "calibration":
                _draw_reliability(axes, points, colour, name)
            elif title == "roc":
                false_rate, true_rate, _ = roc_curve(labels, scores)
                axes.plot(false_rate, true_rate, color=colour, label=name)
            elif title == "precision_recall":
                precision, recall, _ = precision_recall_curve(labels, scores)
                axes.plot(recall, precision, color=colour, label=name)
            else:
                axes.hist(scores, bins=40, range=(0, 1), histtype="step", color=colour, label=name)
        if title in ("calibration", "roc"):
            axes.plot([0, 1], [0, 1], "--", color=_IDEAL, linewidth=1)
        axes.set_xlabel(axis_names[0])
        axes.set_ylabel(axis_names[1])
        axes.set_title(title.replace("_", " "))
        axes.legend(frameon=False)
        paths[title] = folder / f"{title}.png"
        # No software version in the file, so that equal plots are equal bytes.
        figure.savefig(paths[title], metadata={"Software": None})
    return paths


def _draw_reliability(axes: Any, points: Sequence[ReliabilityPoint], colour: str, name: str) -> None:
    said = np.array([point.mean_probability for point in points])
    happened = np.array([point.observed_share for point in points])
    # A percentile interval need not hold the share itself: a bar never has a length below zero.
    lengths = np.array([[share - point.low, point.high - share] for share, point in zip(happened, points, strict=True)])
    lengths = np.nan_to_num(np.maximum(lengths, 0.0), nan=0.0).reshape(-1, 2).T
    axes.errorbar(
        said, happened, yerr=lengths, fmt="o-", color=colour, label=name, markersize=3.5, linewidth=1, elinewidth=1
    )


_AXES = {
    "calibration": ("mean probability", "observed share"),
    "roc": ("false positive rate", "true positive rate"),
    "precision_recall": ("recall", "precision"),
    "probability_histogram": ("probability", "rows"),
}

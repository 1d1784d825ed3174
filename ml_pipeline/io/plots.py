"""Plots of one evaluation, as small PNG files: they are kept in Dagster's event log as well."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MODEL, _BASELINE, _IDEAL = "#1f5fa8", "#c8552b", "#9a9a9a"


def draw_evaluation(
    folder: Path, *, labels: NDArray[np.float64], model: NDArray[np.float64], baseline: NDArray[np.float64],
    reliability_model: Sequence[tuple[float, float, int]], reliability_baseline: Sequence[tuple[float, float, int]],
) -> dict[str, Path]:  # fmt: skip
    """Draw calibration, ROC, precision-recall and score histogram of model and baseline; returns path by title."""
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
                axes.plot(
                    [mean for mean, _, _ in points], [share for _, share, _ in points], "o-", color=colour, label=name
                )
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


_AXES = {
    "calibration": ("mean probability", "observed share"),
    "roc": ("false positive rate", "true positive rate"),
    "precision_recall": ("recall", "precision"),
    "probability_histogram": ("probability", "rows"),
}

"""How good scores proved to be: the metrics of model and baseline on the same rows, with intervals over nights."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.decision import costs_of_acts
from ml_pipeline.domain.evaluation import evaluate, row_log_loss
from ml_pipeline.domain.night_bootstrap import Draws
from ml_pipeline.domain.paired_bootstrap import mean_interval, mean_intervals
from ml_pipeline.domain.reliability import SliceColumn
from ml_pipeline.domain.roc import roc_auc

Floats = NDArray[np.float64]
BySubject = dict[str, dict[str, float]]

MODEL, BASELINE = "model", "baseline"
# Two-sided 95 %, as everywhere in the house.
_CONFIDENCE = 0.975


@dataclass(frozen=True)
class RealisedRows:
    """Rows with a label: ``labels`` and, by subject, ``probabilities`` and ``acts``; each of shape (rows,)."""

    labels: Floats
    probabilities: Mapping[str, Floats]
    acts: Mapping[str, NDArray[np.bool_]]

    def of_rows(self, chosen: NDArray[np.int64]) -> "RealisedRows":
        """The same for some of the rows."""
        return RealisedRows(
            self.labels[chosen], {name: values[chosen] for name, values in self.probabilities.items()},
            {name: values[chosen] for name, values in self.acts.items()},
        )  # fmt: skip

    def losses(self) -> dict[str, Floats]:
        return {name: row_log_loss(self.labels, values) for name, values in self.probabilities.items()}

    def paid(self, costs: DecisionContract) -> dict[str, Floats]:
        return {name: costs_of_acts(costs, self.labels, acts) for name, acts in self.acts.items()}


def realised_performance(costs: DecisionContract, rows: RealisedRows, draws: Draws) -> BySubject:
    """Metrics by subject and name, among them the mean cost a row and the 95 % interval of the log loss.

    The model has its gains over the baseline too, in log loss and in cost a row, above 0 where it is better. Intervals are
    bootstrapped over the nights of ``draws``; NaN is what the rows cannot say, intervals of fewer than five nights too.
    """
    losses, paid = rows.losses(), rows.paid(costs)
    found = {}
    for name, lost in losses.items():
        low, high = mean_interval(lost, draws, confidence=_CONFIDENCE)
        metrics = evaluate(rows.labels, rows.probabilities[name]).as_dict()
        found[name] = metrics | {"mean_cost": _mean(paid[name]), "log_loss_low": low, "log_loss_high": high}
    for name, gains in (("log_loss", losses[BASELINE] - losses[MODEL]), ("cost", paid[BASELINE] - paid[MODEL])):
        low, high = mean_interval(gains, draws, confidence=_CONFIDENCE)
        found[MODEL] |= {f"{name}_gain": _mean(gains), f"{name}_gain_low": low, f"{name}_gain_high": high}
    return found


def slice_performance(
    costs: DecisionContract, rows: RealisedRows, column: SliceColumn, draws: Draws
) -> Iterator[tuple[str, BySubject]]:
    """The same for each value of ``column`` (of the same rows) that has a row, in the order of the values.

    Without average precision and calibration error, of which a few hundred rows say little.
    """
    losses, paid = rows.losses(), rows.paid(costs)
    around = {
        name: mean_intervals(values, column.code_of_row, draws, confidence=_CONFIDENCE)
        for name, values in (
            ("log_loss", losses[MODEL]), ("baseline", losses[BASELINE]), ("log_loss_gain", losses[BASELINE] - losses[MODEL]),
            ("cost_gain", paid[BASELINE] - paid[MODEL]),
        )
    }  # fmt: skip
    for code in np.flatnonzero(np.bincount(column.code_of_row)):
        here = np.flatnonzero(column.code_of_row == code)
        found = {name: _on_slice(rows.of_rows(here), name, paid[name][here]) for name in (MODEL, BASELINE)}
        for gain, one in (("log_loss_gain", "log_loss"), ("cost_gain", "mean_cost")):
            found[MODEL] |= {gain: found[BASELINE][one] - found[MODEL][one], **_ends(gain, around[gain][code])}
        found[MODEL] |= _ends("log_loss", around["log_loss"][code])
        found[BASELINE] |= _ends("log_loss", around["baseline"][code])
        yield column.names[code], found


def _on_slice(rows: RealisedRows, subject: str, paid: Floats) -> dict[str, float]:
    labels, said = rows.labels, rows.probabilities[subject]
    return {
        "rows": len(labels), "positive_share": _mean(labels), "mean_probability": _mean(said),
        "log_loss": _mean(row_log_loss(labels, said)), "brier": _mean((said - labels) ** 2), "roc_auc": roc_auc(labels, said),
        "mean_cost": _mean(paid),
    }  # fmt: skip


def _ends(name: str, around: Floats) -> dict[str, float]:
    return {f"{name}_low": float(around[0]), f"{name}_high": float(around[1])}


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")

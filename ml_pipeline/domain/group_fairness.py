"""How a model treats each group: calibration, selection, and the two error rates, by fairlearn's ``MetricFrame``."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupNumbers:
    """Numbers of one group of rows, of one model; NaN where the rows cannot say.

    Attributes:
        rows: number of rows.
        calibration_gap: distance of the mean probability from the share of rows with label 1 (calibration in the large).
        selection_rate: share of rows that are acted on.
        true_positive_rate: the same of the rows with label 1.
        false_positive_rate: the same of the rows with label 0.
    """

    rows: int
    calibration_gap: float
    selection_rate: float
    true_positive_rate: float
    false_positive_rate: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class GroupSpreads:
    """Largest less smallest of a rate over groups: demographic parity, and the two halves of equalised odds.

    As in Hardt, Price and Srebro (NeurIPS 2016), and as fairlearn's ``..._difference`` metrics give them.
    """

    selection_rate: float
    true_positive_rate: float
    false_positive_rate: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def numbers_by_group(
    groups: NDArray[np.object_], labels: Floats, probabilities: Floats, acts: NDArray[np.bool_]
) -> dict[str, GroupNumbers]:
    """Numbers of each group in name order; ``acts`` says which rows are acted on, and all are of shape (rows,)."""
    if not len(groups):
        return {}
    from fairlearn.metrics import MetricFrame

    cells = _cells(groups, labels, probabilities, acts)
    weights = {"sample_weight": cells.rows}
    frame = MetricFrame(
        metrics={
            "rows": _rows, "calibration_gap": _calibration_gap, "selection_rate": _selection_rate,
            "true_positive_rate": _true_positive_rate, "false_positive_rate": _false_positive_rate,
        },
        y_true=cells.labels, y_pred=cells.acts, sensitive_features=cells.groups,
        sample_params={
            "calibration_gap": weights | {"probabilities": cells.probabilities},
            **dict.fromkeys(("rows", "selection_rate", "true_positive_rate", "false_positive_rate"), weights),
        },
    )  # fmt: skip
    found = frame.by_group.sort_index().to_dict(orient="index")
    return {str(name): GroupNumbers(int(values.pop("rows")), **values) for name, values in found.items()}


def spreads(groups: Iterable[GroupNumbers]) -> GroupSpreads:
    """Spread of each rate over ``groups``, without those that cannot say; NaN if none can."""
    chosen = list(groups)
    return GroupSpreads(
        _spread(one.selection_rate for one in chosen),
        _spread(one.true_positive_rate for one in chosen),
        _spread(one.false_positive_rate for one in chosen),
    )


@dataclass(frozen=True)
class _Cells:
    """Rows of one group, label and act as one: how many they are, and their mean probability; each of shape (cells,)."""

    groups: NDArray[np.object_]
    labels: Floats
    acts: Floats
    rows: Floats
    probabilities: Floats


def _cells(groups: NDArray[np.object_], labels: Floats, probabilities: Floats, acts: NDArray[np.bool_]) -> _Cells:
    """MetricFrame turns each row into objects, once for each metric: its time grows with the rows, and cells stay few."""
    names, group = np.unique(groups.astype(str), return_inverse=True)
    cell, place = np.unique(group * 4 + (labels == 1) * 2 + acts, return_inverse=True)
    rows = np.bincount(place).astype(np.float64)
    means = np.bincount(place, weights=probabilities) / rows
    return _Cells(
        names[cell // 4].astype(object), (cell // 2 % 2).astype(np.float64), (cell % 2).astype(np.float64), rows, means
    )


def _rows(_labels: Floats, _acts: Floats, *, sample_weight: Floats) -> float:
    return float(sample_weight.sum())


def _calibration_gap(labels: Floats, _acts: Floats, *, sample_weight: Floats, probabilities: Floats) -> float:
    return abs(_share(probabilities, sample_weight) - _share(labels, sample_weight))


def _selection_rate(_labels: Floats, acts: Floats, *, sample_weight: Floats) -> float:
    return _share(acts, sample_weight)


def _true_positive_rate(labels: Floats, acts: Floats, *, sample_weight: Floats) -> float:
    return _share(acts[labels == 1], sample_weight[labels == 1])


def _false_positive_rate(labels: Floats, acts: Floats, *, sample_weight: Floats) -> float:
    return _share(acts[labels == 0], sample_weight[labels == 0])


def _share(values: Floats, weights: Floats) -> float:
    """NaN of nothing: fairlearn's own rates say 0 there, and a group without a label 1 would look like the worst served."""
    return float(np.average(values, weights=weights)) if len(values) else math.nan


def _spread(rates: Iterable[float]) -> float:
    known = [rate for rate in rates if not math.isnan(rate)]
    return max(known) - min(known) if known else math.nan

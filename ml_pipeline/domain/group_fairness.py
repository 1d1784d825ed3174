"""How a model treats each group: calibration, selection, and the two error rates."""

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
    selected = acts.astype(np.float64)
    found = {}
    for name in sorted(set(groups.tolist())):
        chosen = groups == name
        hits, truth = selected[chosen], labels[chosen]
        found[str(name)] = GroupNumbers(
            int(chosen.sum()),
            abs(float(probabilities[chosen].mean() - truth.mean())),
            float(hits.mean()),
            _mean(hits[truth == 1]),
            _mean(hits[truth == 0]),
        )
    return found


def spreads(groups: Iterable[GroupNumbers]) -> GroupSpreads:
    """Spread of each rate over ``groups``, without those that cannot say; NaN if none can."""
    chosen = list(groups)
    return GroupSpreads(
        _spread(one.selection_rate for one in chosen),
        _spread(one.true_positive_rate for one in chosen),
        _spread(one.false_positive_rate for one in chosen),
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _spread(rates: Iterable[float]) -> float:
    known = [rate for rate in rates if not math.isnan(rate)]
    return max(known) - min(known) if known else math.nan

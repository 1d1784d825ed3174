"""From a probability to a decision: the threshold that the costs of the two mistakes imply."""

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import DecisionContract


def cost_threshold(contract: DecisionContract) -> float:
    """The probability from which acting is cheaper on average (Elkan, IJCAI 2001, eq. 2)."""
    return contract.cost_false_alarm / (contract.cost_false_alarm + contract.cost_miss)


def mean_cost(
    contract: DecisionContract,
    labels: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    thresholds: NDArray[np.float64],
) -> float:
    """Cost a row of acting where the probability reaches the row's threshold; all of shape (rows,). NaN for no rows."""
    acts = probabilities >= thresholds
    false_alarms = contract.cost_false_alarm * (acts & (labels == 0))
    misses = contract.cost_miss * (~acts & (labels == 1))
    return float(np.mean(false_alarms + misses)) if len(labels) else float("nan")

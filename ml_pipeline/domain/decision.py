"""From a probability to a decision: by the threshold that the costs imply, or by what a night has hands for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.contracts.source import SCORE_DATE

DecisionMode = Literal["threshold", "capacity"]

TIE_RULE = "probability, highest first; then score, highest first; then the entity key in ascending order"


@dataclass(frozen=True)
class Decisions:
    """``acts`` (bool, shape (rows,)): whether each row is acted on; ``mode`` and ``reason``: what decided, in words."""

    acts: NDArray[np.bool_]
    mode: DecisionMode
    reason: str


def cost_threshold(contract: DecisionContract) -> float:
    """The probability from which acting is cheaper on average (Elkan, IJCAI 2001, eq. 2)."""
    return contract.cost_false_alarm / (contract.cost_false_alarm + contract.cost_miss)


def decision_mode(contract: DecisionContract) -> DecisionMode:
    """What decides: the capacity of a night if one is declared, else the threshold."""
    return "threshold" if contract.capacity_per_night is None else "capacity"


def decide_rows(
    contract: DecisionContract,
    threshold: float,
    keys: pa.Table,
    *,
    probability: NDArray[np.float64],
    score: NDArray[np.float64],
) -> Decisions:
    """Decide on rows of any number of nights; the order of the rows changes nothing.

    Args:
        contract: with ``capacity_per_night`` k, the first k rows of each night by ``TIE_RULE`` are acted on, all rows
            of a night that has fewer; without it, rows whose probability reaches ``threshold``.
        threshold: of the model that scored the rows.
        keys: ``score_date`` and the entity key of each row, no other column.
        probability: shape (rows,). A row whose probability is NaN is never acted on.
        score: the trees' score, shape (rows,); parts rows whose probabilities calibration made equal.

    Raises:
        ValueError: a key stands twice. Which of the two rows is acted on would depend on their order.
    """
    if contract.capacity_per_night is None:
        return Decisions(probability >= threshold, "threshold", f"probability of at least {threshold:.4f}")
    place = _places(keys, probability, score)
    acts = (place < contract.capacity_per_night) & ~np.isnan(probability)
    return Decisions(acts, "capacity", f"first {contract.capacity_per_night} rows of the night by {TIE_RULE}")


def _places(keys: pa.Table, probability: NDArray[np.float64], score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Place of each row within its night by ``TIE_RULE``, 0 for the first."""
    names = [name for name in keys.column_names if name != SCORE_DATE]
    _require_distinct(keys, names)
    ranked: list[tuple[str, str]] = [("night", "ascending"), ("probability", "descending"), ("score", "descending")]
    columns = {"night": keys.column(SCORE_DATE), "probability": pa.array(probability), "score": pa.array(score)}
    for position, name in enumerate(names):
        columns[f"key_{position}"] = keys.column(name)
        ranked.append((f"key_{position}", "ascending"))
    order = np.asarray(pc.sort_indices(pa.table(columns), sort_keys=ranked).to_numpy(), dtype=np.int64)
    nights = np.asarray(keys.column(SCORE_DATE).to_numpy())[order]
    starts, counts = np.unique(nights, return_index=True, return_counts=True)[1:]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, counts)
    return place


def _require_distinct(keys: pa.Table, names: Sequence[str]) -> None:
    distinct = keys.group_by([SCORE_DATE, *names]).aggregate([]).num_rows
    if distinct != keys.num_rows:
        raise ValueError(
            f"{keys.num_rows - distinct} of {keys.num_rows} rows repeat a key ({', '.join(names)}) within their night; "
            "ties cannot be broken. Remove the repeated rows from the spine"
        )


def mean_cost(
    contract: DecisionContract,
    labels: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    thresholds: NDArray[np.float64],
) -> float:
    """Cost a row of acting where the probability reaches the row's threshold; all of shape (rows,). NaN for no rows."""
    return mean_cost_of_acts(contract, labels, probabilities >= thresholds)


def mean_cost_of_acts(contract: DecisionContract, labels: NDArray[np.float64], acts: NDArray[np.bool_]) -> float:
    """Cost a row of decisions that were made in any way; both of shape (rows,). NaN for no rows."""
    return float(np.mean(costs_of_acts(contract, labels, acts))) if len(labels) else float("nan")


def costs_of_acts(
    contract: DecisionContract, labels: NDArray[np.float64], acts: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Cost of each row's decision, shape (rows,)."""
    false_alarms = contract.cost_false_alarm * (acts & (labels == 0))
    misses = contract.cost_miss * (~acts & (labels == 1))
    return np.asarray(false_alarms + misses)

"""What a decision threshold is worth if the costs are other than was said: a table, and the range that it bears."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.decision import TIE_RULE, DecisionMode, cost_threshold, decision_mode
from ml_pipeline.domain.document import Block, Paragraph, Table, blocks_markdown

Floats = NDArray[np.float64]

COST_RATIOS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0)
TOLERANCE = 0.05


@dataclass(frozen=True)
class RatioCosts:
    """Costs a row at one cost ratio, in false alarms: a false alarm costs 1, a miss ``cost_ratio``.

    Attributes:
        threshold: that the ratio implies.
        cost: of acting from that threshold on.
        cost_kept: of keeping the present threshold.
        least_cost: of the best single threshold, chosen in hindsight on these very rows; no threshold does better.
        regret: ``cost_kept`` less ``least_cost``, never below 0.
    """

    cost_ratio: float
    threshold: float
    cost: float
    cost_kept: float
    least_cost: float
    regret: float


@dataclass(frozen=True)
class CostSensitivity:
    """How a threshold fares over cost ratios.

    Attributes:
        mode: what decides on rows; with ``capacity`` the threshold is for reading only.
        capacity_per_night: rows that a night has hands for, None if the threshold decides.
        cost_ratio: the present one, a miss over a false alarm.
        threshold: the present one.
        rows: number of rows that the costs are measured on.
        table: one entry a ratio, ascending.
        tolerance: share of the least cost that the present threshold may cost more.
        first_ratio: the least ratio at which it stays within ``tolerance``; None if there is no such ratio.
        last_ratio: the greatest one; None if there is none, or if it stays so however dear a miss is.
    """

    mode: DecisionMode
    capacity_per_night: int | None
    cost_ratio: float
    threshold: float
    rows: int
    table: tuple[RatioCosts, ...]
    tolerance: float
    first_ratio: float | None
    last_ratio: float | None

    def as_json(self) -> dict[str, Any]:
        content = asdict(self)
        content["table"] = [asdict(row) for row in self.table]
        return content | {"tie_rule": TIE_RULE if self.mode == "capacity" else None}


def cost_sensitivity(
    contract: DecisionContract, labels: Floats, probabilities: Floats, *,
    ratios: Sequence[float] = COST_RATIOS, tolerance: float = TOLERANCE,
) -> CostSensitivity:  # fmt: skip
    """Measure the threshold of ``contract`` on rows with known labels (0 or 1), over ``ratios`` and the present one.

    The range of ratios is exact, not one of the grid. Cost is linear in the ratio for each threshold, so being within
    the tolerance of every other threshold is one linear inequality each, and what satisfies all of them is an interval.

    Args:
        contract: costs, and the capacity if there is one.
        labels: shape (rows,).
        probabilities: shape (rows,).
        ratios: cost of a miss over that of a false alarm, each above 0.
        tolerance: share of the least cost, 0 or more.

    Raises:
        ValueError: there is no row, a ratio is not above 0, or the tolerance is below 0.
    """
    if not len(labels) or min(ratios, default=0.0) <= 0 or tolerance < 0:
        raise ValueError(
            f"cost sensitivity needs rows (got {len(labels)}), ratios above 0 (got {list(ratios)}) and a tolerance of at "
            f"least 0 (got {tolerance})"
        )
    present, kept = contract.cost_miss / contract.cost_false_alarm, cost_threshold(contract)
    curve = _mistakes(labels, probabilities)
    table = tuple(
        _at_ratio(ratio, kept, curve, labels, probabilities) for ratio in sorted({*map(float, ratios), present})
    )
    first, last = _range(_mistakes_at(kept, labels, probabilities), curve, tolerance)
    return CostSensitivity(
        decision_mode(contract), contract.capacity_per_night, present, kept, len(labels), table, tolerance, first, last
    )


def sensitivity_from_json(content: Mapping[str, Any]) -> CostSensitivity:
    """The inverse of ``CostSensitivity.as_json``."""
    known = {name: value for name, value in content.items() if name not in ("table", "tie_rule")}
    return CostSensitivity(**known, table=tuple(RatioCosts(**row) for row in content["table"]))


def sensitivity_markdown(found: CostSensitivity) -> str:
    """What ``sensitivity_content`` holds, as Markdown."""
    return blocks_markdown(sensitivity_content(found))


def sensitivity_content(found: CostSensitivity) -> tuple[Block, ...]:
    """A paragraph and a table."""
    rows = [
        (f"{row.cost_ratio:g}{' (now)' if row.cost_ratio == found.cost_ratio else ''}", f"{row.threshold:.4f}",
         f"{row.cost:.4f}", f"{row.cost_kept:.4f}", f"{row.regret:.4f}")
        for row in found.table
    ]  # fmt: skip
    head = (
        "a miss costs, in false alarms",
        "its threshold",
        "cost at it",
        "cost at the present one",
        "above the least",
    )
    measured = f"Measured on {found.rows:,} rows; costs are a row, in false alarms."
    return (Paragraph(f"{_how(found)} {_span(found)} {measured}"), Table(head, rows))


def _how(found: CostSensitivity) -> str:
    if found.mode == "capacity":
        return (
            f"The capacity decides: {found.capacity_per_night} rows a night ({TIE_RULE}). The threshold "
            f"{found.threshold:.4f} of the costs is shown for comparison."
        )
    return f"The threshold {found.threshold:.4f} decides."


def _span(found: CostSensitivity) -> str:
    within = f"within {found.tolerance:.0%} of the least cost that any threshold reaches"
    if found.first_ratio is None:
        return f"At no cost ratio it stays {within}."
    if found.last_ratio is None:
        return f"It stays {within} from a cost ratio of {found.first_ratio:.2f} on."
    return f"It stays {within} for cost ratios from {found.first_ratio:.2f} to {found.last_ratio:.2f}."


def _mistakes_at(threshold: float, labels: Floats, probabilities: Floats) -> Floats:
    """Shares of rows that are false alarms and misses at ``threshold``; shape (2,)."""
    acts = probabilities >= threshold
    return np.array([np.mean(acts & (labels == 0)), np.mean(~acts & (labels == 1))])


def _mistakes(labels: Floats, probabilities: Floats) -> Floats:
    """The same for every threshold that makes a difference, from acting on no row to acting on all; shape (n, 2)."""
    values, inverse = np.unique(-probabilities, return_inverse=True)
    hits = np.bincount(inverse, weights=labels, minlength=len(values))
    rows = np.bincount(inverse, minlength=len(values))
    false_alarms = np.concatenate([[0.0], np.cumsum(rows - hits)])
    misses = labels.sum() - np.concatenate([[0.0], np.cumsum(hits)])
    return np.stack([false_alarms, misses], axis=1) / len(labels)


def _at_ratio(ratio: float, kept: float, curve: Floats, labels: Floats, probabilities: Floats) -> RatioCosts:
    weights, threshold = np.array([1.0, ratio]), 1.0 / (1.0 + ratio)
    cost_kept = float(_mistakes_at(kept, labels, probabilities) @ weights)
    least = min(float((curve @ weights).min()), cost_kept)
    cost = float(_mistakes_at(threshold, labels, probabilities) @ weights)
    return RatioCosts(ratio, threshold, cost, cost_kept, least, cost_kept - least)


def _range(kept: Floats, curve: Floats, tolerance: float) -> tuple[float | None, float | None]:
    """The ratios at which ``kept`` costs at most 1 + ``tolerance`` times what each row of ``curve`` costs."""
    excess, slope = (kept - (1 + tolerance) * curve).T
    # A hair of room: the kept threshold is itself a row of the curve, and must not fail against itself by rounding.
    excess -= 1e-12
    falling, rising = slope < 0, slope > 0
    first = float(max(0.0, (excess[falling] / -slope[falling]).max(initial=0.0)))
    last = float((-excess[rising] / slope[rising]).min(initial=np.inf))
    if last < first or last <= 0 or bool(np.any((slope == 0) & (excess > 0))):
        return None, None
    return first, (None if np.isinf(last) else last)

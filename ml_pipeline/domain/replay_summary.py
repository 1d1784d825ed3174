"""What a replayed year comes to: costs and metrics of each night and of all, and how sure a difference of two policies is."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.evaluation import row_log_loss
from ml_pipeline.domain.paired_bootstrap import paired_gain
from ml_pipeline.domain.replay_report import Interval, ReplayedNight
from ml_pipeline.nights import Night

Floats = NDArray[np.float64]
# Both ends together leave out a twentieth.
_CONFIDENCE = 0.975


@dataclass(frozen=True)
class ReplayedRows:
    """Every scored row of a policy whose outcome is known, in order of night and key; each array of shape (rows,).

    ``keys`` identifies the rows: two policies are compared on equal keys only.
    """

    keys: str
    nights: NDArray[np.datetime64]
    labels: Floats
    probabilities: Floats
    acts: NDArray[np.bool_]
    baseline: Floats
    baseline_acts: NDArray[np.bool_]

    def costs(self, contract: DecisionContract) -> Floats:
        """Cost of each row's decision, in the unit of the project's costs."""
        return _costs(contract, self.labels, self.acts)

    def by_baseline(self) -> "ReplayedRows":
        """The same rows, had the baseline decided."""
        return replace(self, probabilities=self.baseline, acts=self.baseline_acts)

    def baseline_costs(self, contract: DecisionContract) -> Floats:
        return _costs(contract, self.labels, self.baseline_acts)


@dataclass(frozen=True)
class NightFacts:
    """What a night published of itself; NaN is a number that it could not know."""

    model_version: str
    served_by: str
    drifted_share: float
    cost_saving: float
    estimated_log_loss: float
    verdict: str
    severity: str
    reasons: str


def summarise_nights(
    contract: DecisionContract, rows: ReplayedRows, facts: Mapping[Night, NightFacts]
) -> tuple[ReplayedNight, ...]:
    """One summary for each night of ``facts``, in order; a night without a known outcome has NaN."""
    costs, baseline_costs = rows.costs(contract), rows.baseline_costs(contract)
    losses = row_log_loss(rows.labels, rows.probabilities)
    baseline_losses = row_log_loss(rows.labels, rows.baseline)
    squares = (rows.probabilities - rows.labels) ** 2
    found = []
    for night in sorted(facts):
        day = np.datetime64(night)
        of_night = slice(*(int(rows.nights.searchsorted(day, side)) for side in ("left", "right")))
        one = facts[night]
        count = of_night.stop - of_night.start
        found.append(
            ReplayedNight(
                night, one.model_version, one.served_by, count, float(costs[of_night].sum()),
                float(baseline_costs[of_night].sum()), _mean(losses[of_night]), _mean(baseline_losses[of_night]),
                _mean(squares[of_night]), one.drifted_share, one.cost_saving, one.estimated_log_loss, one.verdict,
                one.severity, one.reasons,
            )
        )  # fmt: skip
    return tuple(found)


def saved(contract: DecisionContract, rows: ReplayedRows, other: ReplayedRows, *, seed: int) -> Interval:
    """By how much ``rows`` cost less than ``other``, in all; the interval resamples whole nights.

    Raises:
        ValueError: they are not the same rows.
    """
    if rows.keys != other.keys:
        raise ValueError("two policies did not score the same rows, so their costs cannot be compared")
    gains = other.costs(contract) - rows.costs(contract)
    gain = paired_gain(rows.nights, gains, confidence=_CONFIDENCE, seed=seed)
    confidence = 2 * _CONFIDENCE - 1
    return Interval(gain.mean * gain.rows, gain.low * gain.rows, gain.high * gain.rows, round(confidence, 6))


def _costs(contract: DecisionContract, labels: Floats, acts: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.where(acts, contract.cost_false_alarm * (labels == 0), contract.cost_miss * (labels == 1)))


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")

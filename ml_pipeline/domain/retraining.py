"""Whether tonight's evidence is worth a retraining."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ml_pipeline.contracts.project import MonitoringContract
from ml_pipeline.nights import Night


@dataclass(frozen=True)
class DriftNight:
    """What was measured on one night: which model scored it, and the share of its features that drifted."""

    night: Night
    model_version: str
    drifted_share: float


@dataclass(frozen=True)
class RetrainingDecision:
    """What to do, and why. ``evidence_id`` names the stretch of drift that speaks for it, empty if there is none."""

    verdict: Literal["nothing", "retrain"]
    evidence_id: str
    reasons: tuple[str, ...]


def decide(contract: MonitoringContract, history: Sequence[DriftNight], *, trained_on: Night) -> RetrainingDecision:
    """Decide for the last night of ``history`` (one entry a night, in order, at least one).

    A stretch is the unbroken run of drifted nights of one model that ends tonight. It asks for one retraining, named
    by its first night, once it has persisted and the cool-down since ``trained_on`` is over.
    """
    tonight = history[-1]
    stretch = _drifted_stretch(contract, history)
    share = f"{tonight.drifted_share:.0%} of the features drifted on {tonight.night}"
    limit = f"the limit is {contract.drifted_share_limit:.0%}"
    if not stretch:
        return RetrainingDecision("nothing", "", (f"{share}; {limit}",))
    evidence_id = f"{tonight.model_version}_{stretch[0].night}"
    reasons = [f"{share}, more than allowed ({limit}), for {len(stretch)} nights since {stretch[0].night}"]
    age_nights = (tonight.night - trained_on).days
    if len(stretch) < contract.persistence_nights:
        reasons.append(f"not persistent: {len(stretch)} of {contract.persistence_nights} nights")
    if age_nights < contract.cool_down_nights:
        reasons.append(f"cooling down: the model was trained {age_nights} of {contract.cool_down_nights} nights ago")
    if len(reasons) > 1:
        return RetrainingDecision("nothing", evidence_id, tuple(reasons))
    reasons.append(f"the model was trained {age_nights} nights ago, the cool-down is over")
    return RetrainingDecision("retrain", evidence_id, tuple(reasons))


def _drifted_stretch(contract: MonitoringContract, history: Sequence[DriftNight]) -> list[DriftNight]:
    stretch: list[DriftNight] = []
    for entry in reversed(history):
        # A night that nobody watched says nothing, so it ends a stretch too.
        is_next = not stretch or (stretch[0].night - entry.night).days == 1
        is_same_model = entry.model_version == history[-1].model_version
        # A comparison with NaN is False: a night that could not be measured is not a drifted night.
        if not (is_next and is_same_model and entry.drifted_share > contract.drifted_share_limit):
            break
        stretch.insert(0, entry)
    return stretch

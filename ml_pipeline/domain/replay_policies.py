"""The policies that a replay compares: what each makes of the nightly verdicts, and when it could act next."""

from dataclasses import dataclass
from typing import Literal

from ml_pipeline.nights import Night, nights_back, nights_between

PolicyName = Literal["never", "monthly", "drift", "recalibrate"]
ReplayAct = Literal["train", "recalibrate"]
_LONGEST_MONTH = 31


@dataclass(frozen=True)
class ReplayPolicy:
    """One way to keep a model. The gate judges whatever it asks for, and the first champion is the same under all."""

    name: PolicyName
    title: str
    description: str

    @property
    def follows_verdicts(self) -> bool:
        """Whether it acts on what the nightly policy says, and on nothing else."""
        return self.name in {"drift", "recalibrate"}

    def act(self, night: Night, verdict: str) -> ReplayAct | None:
        """What is made as of ``night``, whose verdict was ``verdict``; None for nothing."""
        asked = {"retrain", "recalibrate"} & {verdict}
        if self.name == "monthly":
            return "train" if night.day == 1 else None
        if self.name == "recalibrate":
            return "recalibrate" if asked else None
        if self.name == "drift" and asked:
            return "train" if verdict == "retrain" else "recalibrate"
        return None

    def next_act(self, tonight: Night, *, earliest_verdict: Night) -> Night:
        """The first night after ``tonight`` that could act; ``earliest_verdict`` is the first that could be asked to."""
        if self.name == "never":
            return Night.max
        if self.name == "monthly":
            coming = nights_between(nights_back(tonight, -1), nights_back(tonight, -_LONGEST_MONTH))
            return next(night for night in coming if night.day == 1)
        return earliest_verdict


POLICIES: tuple[ReplayPolicy, ...] = (
    ReplayPolicy("drift", "Policy", (
        "The project's policy: a retraining or a recalibration when matured nights show that the champion no longer saves "
        "what it should, never because of drift alone."
    )),
    ReplayPolicy("never", "Never retrain", "The first champion serves all year."),
    ReplayPolicy("monthly", "Monthly", "A new model as of the first night of each month, whatever was measured."),
    ReplayPolicy("recalibrate", "Recalibrate only", (
        "Whenever the policy asks for anything, the first champion's trees get a newer calibrator."
    )),
)  # fmt: skip


def policy_named(name: str) -> ReplayPolicy:
    """The policy of that name.

    Raises:
        ValueError: there is none.
    """
    for policy in POLICIES:
        if policy.name == name:
            return policy
    raise ValueError(f"{name!r} is no policy of a replay; there are {', '.join(policy.name for policy in POLICIES)}")

"""What a replay found: each policy's year, night by night, with its decisions, its models and what it did about incidents."""

from dataclasses import dataclass
from typing import Literal

from ml_pipeline.nights import Night

Act = Literal["train", "recalibrate"]
Finding = Literal["nothing", "bad_data", "late_data", "missing_labels", "drift"]


@dataclass(frozen=True)
class Interval:
    """A mean or total with the interval that resampling whole nights gives it."""

    value: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class ReplayedNight:
    """One scored night of one policy, by the outcomes known when the replay ended. NaN is a number nobody could know.

    Attributes:
        night: the night.
        model_version: who answered.
        served_by: the rung.
        rows: scored rows whose outcome is known.
        cost: of the decisions made, in the unit of the project's costs, in all; ``baseline_cost`` of the baseline's.
        log_loss: a row, in nats; ``baseline_log_loss`` of the baseline.
        brier: a row.
        drifted_share: of the features, as the night itself measured it.
        cost_saving: share of the baseline's cost saved on the matured nights that the night itself knew of.
        estimated_log_loss: expected from the probabilities alone, before any label.
        verdict: what the policy said.
        severity: none, advisory or blocking.
        reasons: why.
    """

    night: Night
    model_version: str
    served_by: str
    rows: int
    cost: float
    baseline_cost: float
    log_loss: float
    baseline_log_loss: float
    brier: float
    drifted_share: float
    cost_saving: float
    estimated_log_loss: float
    verdict: str
    severity: str
    reasons: str


@dataclass(frozen=True)
class ReplayedModel:
    """One model that a policy asked for, what the gate said, and when it served.

    ``made_from`` is the version whose trees it keeps, empty for a training. ``served_from`` is None if it never did, and
    ``served_until`` the last night that it answered.
    """

    version: str
    made_on: Night
    act: Act
    made_from: str
    asked_by: str
    is_promoted: bool
    reasons: tuple[str, ...]
    train_first: Night
    train_last: Night
    served_from: Night | None
    served_until: Night | None


@dataclass(frozen=True)
class PolicyYear:
    """A year under one policy. Totals are over ``nights``; ``saved`` is the cost less than under each other policy."""

    name: str
    title: str
    description: str
    nights: tuple[ReplayedNight, ...]
    models: tuple[ReplayedModel, ...]
    rows: int
    cost: float
    baseline_cost: float
    log_loss: float
    brier: float
    roc_auc: float
    average_precision: float
    calibration_error: float
    trainings: int
    recalibrations: int
    promotions: int
    alarms: int
    false_alarms: int
    saved: dict[str, Interval]


@dataclass(frozen=True)
class ReplayedIncident:
    """One injected incident, and what came of it. ``detected_on`` is None if nobody noticed."""

    name: str
    title: str
    source: str
    first: Night
    last: Night
    truth: Finding
    found: Finding
    detected_on: Night | None
    nights_to_detection: int | None
    detected_by: str
    words: str

    @property
    def is_right(self) -> bool:
        """Whether it was noticed as what it was."""
        return self.found == self.truth


@dataclass(frozen=True)
class ReplayReport:
    """A whole replay.

    ``clean`` holds a year for each policy on the data as they came; ``disturbed`` one for each policy that was also run
    with the incidents. False alarms are counted up to ``clean_months_last``. ``focus`` names the policy that the replay is
    about, ``reference`` and ``rival`` those that it is held against first. ``notes`` say how the numbers were made.
    """

    project: str
    title: str
    first_night: Night
    last_night: Night
    cost_words: str
    clean_months_last: Night
    false_alarms_per_100_nights: float
    clean: tuple[PolicyYear, ...]
    disturbed: tuple[PolicyYear, ...]
    incidents: tuple[ReplayedIncident, ...]
    focus: str = "drift"
    reference: str = "never"
    rival: str = "monthly"
    notes: tuple[str, ...] = ()

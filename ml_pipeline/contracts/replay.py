"""What ``project.yml`` says of a replay: its nights, and the incidents that may be injected into them."""

from datetime import timedelta
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.nights import Night

_IDENTIFIER = r"^[a-z][a-z0-9_]{0,62}$"


class IncidentContract(BaseModel):
    """Something that goes wrong with one source, on the nights that would have landed its rows.

    Attributes:
        name: an identifier.
        title: what happened, for people.
        kind: ``missing``: rows never come. ``scaled``: a column of theirs comes in another unit. ``late``: they come
            ``delay_nights`` later, or, without it, all together on the night after the last one.
        source: whose rows.
        first: the first night.
        nights: how many.
        column: of ``scaled``, a number.
        factor: it is multiplied by this.
        offset: then this is added.
        delay_nights: of ``late``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_IDENTIFIER)
    title: str
    kind: Literal["missing", "scaled", "late"]
    source: str = Field(pattern=_IDENTIFIER)
    first: Night
    nights: int = Field(ge=1, le=60)
    column: str | None = Field(default=None, pattern=_IDENTIFIER)
    factor: float = 1.0
    offset: float = 0.0
    delay_nights: int | None = Field(default=None, ge=1, le=60)

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> "IncidentContract":
        if (self.kind == "scaled") != (self.column is not None):
            raise ValueError(f"incident {self.name}: name a column for scaled, and for nothing else")
        if self.kind == "scaled" and (self.factor, self.offset) == (1.0, 0.0):
            raise ValueError(f"incident {self.name}: a factor of 1 and an offset of 0 change nothing")
        if self.kind != "late" and self.delay_nights is not None:
            raise ValueError(f"incident {self.name}: delay_nights belongs to late")
        return self

    @property
    def last(self) -> Night:
        """The last night whose rows are touched."""
        return self.first + timedelta(days=self.nights - 1)

    @property
    def settled_on(self) -> Night:
        """The last night whose landing differs from the undisturbed one."""
        return self.last + timedelta(days=0 if self.kind != "late" else self.delay_nights or 1)


class ReplayContract(BaseModel):
    """The nights that ``make replay`` operates, and what may be made to go wrong on them.

    Attributes:
        first: the first night; until a first model passes the gate, nothing is scored.
        last: the last night; its outcomes are waited for.
        clean_until: false alarms are counted up to this night of the undisturbed replay.
        incidents: injected on request, into a replay of their own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: Night
    last: Night
    clean_until: Night
    incidents: tuple[IncidentContract, ...] = ()

    @model_validator(mode="after")
    def _is_in_order(self) -> "ReplayContract":
        if not self.first <= self.clean_until <= self.last:
            raise ValueError(
                f"replay: first {self.first}, clean_until {self.clean_until}, last {self.last}: not in order"
            )
        names = [incident.name for incident in self.incidents]
        if len(names) != len(set(names)):
            raise ValueError("replay: two incidents have one name")
        if outside := [
            each.name for each in self.incidents if not self.first <= each.first <= each.settled_on <= self.last
        ]:
            raise ValueError(f"replay: incidents {outside} do not lie within {self.first} to {self.last}")
        return self


# One row for each scenario, policy and scored night of a replay.
REPLAY_SCHEMA = pa.schema(
    [
        pa.field(SCORE_DATE, pa.date32()),
        pa.field("scenario", pa.string()),
        pa.field("policy", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("served_by", pa.string()),
        pa.field("rows", pa.int64()),
        pa.field("cost", pa.float64()),
        pa.field("baseline_cost", pa.float64()),
        pa.field("log_loss", pa.float64()),
        pa.field("baseline_log_loss", pa.float64()),
        pa.field("brier", pa.float64()),
        pa.field("drifted_share", pa.float64()),
        pa.field("cost_saving", pa.float64()),
        pa.field("estimated_log_loss", pa.float64()),
        pa.field("verdict", pa.string()),
        pa.field("severity", pa.string()),
        pa.field("reasons", pa.string()),
    ]
)

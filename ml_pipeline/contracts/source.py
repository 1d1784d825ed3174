"""What a source promises, read from ``sources.yml``: its columns, its key, its clocks, its limits."""

from datetime import date
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from ml_pipeline.contracts.delivery import BoundsContract, LimitsContract
from ml_pipeline.contracts.yaml_files import read_yaml

ColumnType = Literal["string", "integer", "number", "boolean", "timestamp", "date"]

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}

KNOWN_AT = "known_at"
KNOWN_ON = "known_on"
SCORE_DATE = "score_date"
# Columns that a connector may add to the declared ones; no declared name begins with an underscore.
FAULT = "_fault"
DELIVERED_FOR = "_delivered_for"
NIGHT_IN_NAME = "{night}"

# Columns that came later than the first bundles: left out of a dump where they say nothing, so that old hashes stand.
_LATER_COLUMN_FIELDS = ("earliest", "latest", "not_after", "timezone")


class ColumnContract(BaseModel):
    """One column: its type and the values it may hold.

    Attributes:
        earliest: of a date or timestamp, the first day that it may name; 1800 for dates, 1971 for timestamps if None.
        latest: the last day that it may name; 2199 if None.
        not_after: a timestamp column of the same row that this one may not lie after, such as ``known_at`` for what has
            happened already; five minutes are forgiven.
        timezone: the timestamps are delivered as readings of a wall clock there, not as instants.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    type: ColumnType
    description: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    accepted_values: tuple[str, ...] | None = None
    pattern: str | None = None
    pii: bool = False
    earliest: date | None = None
    latest: date | None = None
    not_after: str | None = None
    timezone: str | None = None

    @model_validator(mode="after")
    def _clock_options_fit(self) -> "ColumnContract":
        if (self.earliest or self.latest) and self.type not in ("date", "timestamp"):
            raise ValueError(
                f"column {self.name}: earliest and latest are for dates and timestamps, not for a {self.type}"
            )
        if (self.not_after or self.timezone) and self.type != "timestamp":
            raise ValueError(f"column {self.name}: not_after and timezone are for timestamps, not for a {self.type}")
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (LookupError, ValueError, OSError) as error:
                raise ValueError(
                    f"column {self.name}: {self.timezone!r} is no time zone; write an IANA name"
                ) from error
        return self

    @model_serializer(mode="wrap")
    def _without_unused_fields(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        return {name: value for name, value in fields.items() if name not in _LATER_COLUMN_FIELDS or value is not None}


class ExpectedBy(BaseModel):
    """When a row is in time: no later than ``nights`` after the night of ``column``.

    Attributes:
        column: a date (that local calendar day, as a night) or a timestamp (the night whose window holds the instant).
        nights: how many nights after that one a row may still land.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    nights: int = Field(ge=0)


class SourceContract(BaseModel):
    """One source. ``known_at`` is always a column; landed rows never come without it.

    Attributes:
        key: columns that name a row; a later row with the same key is a correction.
        reference: the whole table is known before the first night and is read without a lookback.
        max_quarantined_share: a night of which more rows break the contract is blocked.
        files: for the folder connector, a glob below the project's folder of files; with ``{night}`` in it, each file
            is the delivery of one night.
        settle_seconds: a file that was written to more recently may still grow, unless a list of hashes lies beside it.
        limits: what a file may cost.
        bounds: what a usual night looks like.
        expected_by: when a row is in time; without it only corrections can be reported, no late row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: str
    owner: str
    key: tuple[str, ...] = Field(min_length=1)
    known_when: str
    reference: bool = False
    max_quarantined_share: float = Field(default=0.01, ge=0, le=1)
    files: str | None = None
    settle_seconds: int = Field(default=60, ge=0)
    limits: LimitsContract = LimitsContract()
    bounds: BoundsContract = BoundsContract()
    expected_by: ExpectedBy | None = None
    columns: tuple[ColumnContract, ...]

    @model_validator(mode="after")
    def _key_and_clock_exist(self) -> "SourceContract":
        names = [column.name for column in self.columns]
        if len(names) != len(set(names)):
            raise ValueError(f"source {self.name}: a column is declared twice")
        missing = [name for name in (*self.key, KNOWN_AT) if name not in names]
        if missing:
            raise ValueError(f"source {self.name}: columns {missing} are needed but not declared")
        reserved = sorted({SCORE_DATE, KNOWN_ON, "cutoff_at", "superseded_on"} & set(names))
        if reserved:
            raise ValueError(f"source {self.name}: columns {reserved} are added by the pipeline; rename yours")
        return self

    @model_validator(mode="after")
    def _clocks_compared_exist(self) -> "SourceContract":
        timestamps = {column.name for column in self.columns if column.type == "timestamp"}
        for column in self.columns:
            if column.not_after is not None and column.not_after not in timestamps - {column.name}:
                raise ValueError(
                    f"source {self.name}: {column.name} is not_after {column.not_after}, which is no other timestamp of it"
                )
        return self

    @model_validator(mode="after")
    def _lateness_can_be_told(self) -> "SourceContract":
        if self.expected_by is None:
            return self
        name = self.expected_by.column
        column = next((column for column in self.columns if column.name == name), None)
        if column is None:
            raise ValueError(f"source {self.name}: expected_by names column {name}, which is not declared")
        if column.type not in ("date", "timestamp"):
            raise ValueError(f"source {self.name}: expected_by needs a date or a timestamp, {name} is a {column.type}")
        if column.nullable:
            raise ValueError(
                f"source {self.name}: expected_by names {name}, which may be missing; name one that is not"
            )
        if name == KNOWN_AT:
            raise ValueError(f"source {self.name}: expected_by names {KNOWN_AT}, by which every row is in time")
        return self

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def is_nightly(self) -> bool:
        """Whether each file names the night that it is the delivery of."""
        return self.files is not None and NIGHT_IN_NAME in self.files

    @property
    def personal_columns(self) -> frozenset[str]:
        """Columns whose values are never shown."""
        return frozenset(column.name for column in self.columns if column.pii)

    def arrow_schema(self) -> pa.Schema:
        """Exact Arrow types of the rows that a connector returns and that ``raw/<source>`` holds."""
        return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in self.columns])


def load_sources(path: Path) -> dict[str, SourceContract]:
    """Read ``sources.yml``; the answer is in the order of the file.

    Raises:
        ValueError: a source is described twice; the second description would silently replace the first.
    """
    contracts: dict[str, SourceContract] = {}
    for entry in read_yaml(path)["sources"]:
        contract = SourceContract.model_validate(entry)
        if contract.name in contracts:
            raise ValueError(f"{path}: source {contract.name} is described twice; remove one of the entries")
        contracts[contract.name] = contract
    return contracts

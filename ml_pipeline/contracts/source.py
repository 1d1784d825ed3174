"""What a source promises, read from ``sources.yml``: its columns, its key, its clocks, its limits."""

from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

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


class ColumnContract(BaseModel):
    """One column: its type and the values it may hold."""

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
        files: for the folder connector, a glob below the project's folder of files.
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

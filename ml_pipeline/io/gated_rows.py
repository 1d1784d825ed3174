"""The landed rows that the gate shows to one night, for a person to look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ml_pipeline.contracts.source import KNOWN_AT, KNOWN_ON
from ml_pipeline.io.duckdb_connections import lock_down, utc_connection
from ml_pipeline.io.gate import load_landed, load_nights, make_source_relation, make_window
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.io.sql_template import source_relation
from ml_pipeline.nights import Night

_HIDDEN = "(personal data)"


@dataclass(frozen=True)
class VisibleRows:
    """What a night may know of one source within a lookback.

    Attributes:
        version: the Delta version of the landed table that was read.
        lookback_days: of the reader; None for a reference, which is read whole.
        rows: rows that the gate shows.
        matched_by: columns in which rows were held against the wanted values; none: every row counts.
        matching_rows: rows that agree in them.
        newest: the newest of these, without what is personal.
    """

    source: str
    version: int
    lookback_days: int | None
    rows: int
    matched_by: tuple[str, ...]
    matching_rows: int
    newest: tuple[dict[str, Any], ...]


def visible_rows(
    runner: GatedRunner, source: str, lookback_days: int | None, night: Night, *, wanted: Mapping[str, Any], most: int
) -> VisibleRows:
    """Rows of ``source`` that ``night`` may know, and at most ``most`` of those whose columns equal ``wanted``.

    Read through the very relation that the models read, from the versions that ``runner`` was given.
    """
    contract = runner.project.sources[source]
    table = f"raw/{source}"
    version = runner.versions.get(table, runner.tables.version(table))
    relation = source_relation(source, lookback_days)
    matched = [name for name in wanted if name in contract.column_names]
    condition = " and ".join(f"{name} = ${name}" for name in matched) or "true"
    shown = [column.name for column in contract.columns]
    hidden = {column.name for column in contract.columns if column.pii}
    values = {name: _without_zone(wanted[name]) for name in matched}
    with utc_connection(threads=runner.threads) as connection:
        load_nights(connection, runner.calendar, [night])
        landed = runner.landed_nights(lookback_days, night, night)
        load_landed(connection, contract, runner.tables.files(table, landed, version=version))
        lock_down(connection)
        make_window(connection, source, lookback_days)
        make_source_relation(connection, contract, lookback_days)
        ((rows, matching),) = connection.execute(
            f"select count(*), count(*) filter (where {condition}) from {relation}", values
        ).fetchall()
        newest = connection.execute(
            f"select {', '.join([KNOWN_ON, *shown])} from {relation} where {condition} "
            f"order by {KNOWN_ON} desc, {KNOWN_AT} desc, {', '.join(contract.key)} limit {int(most)}",
            values,
        ).fetchall()
    found = tuple(
        {name: _HIDDEN if name in hidden else value for name, value in zip([KNOWN_ON, *shown], row, strict=True)}
        for row in newest
    )
    return VisibleRows(source, version, lookback_days, rows, tuple(matched), matching, found)


def _without_zone(value: Any) -> Any:
    """As the gate holds it: instants are UTC timestamps without zone."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value

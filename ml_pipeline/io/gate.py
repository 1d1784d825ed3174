"""The gate: which landed row is visible on which night.

A row is visible from the night that landed it, for as many nights as the reader's lookback, until the night on which a
later version of its key lands. The version that was known before stays visible to earlier nights, so a correction never
changes the past.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from ml_pipeline.contracts.source import KNOWN_AT, KNOWN_ON, SCORE_DATE, SourceContract
from ml_pipeline.io.landing_models import SUPERSEDED_ON, LandingModel
from ml_pipeline.io.sql_template import source_relation
from ml_pipeline.nights import Night, NightCalendar

# Ungated rows lie in a schema of their own: a model writes names without a schema, so it cannot spell theirs.
GATE = "gate"


def landed_table(source: str) -> str:
    """The gate's table of the landed rows of ``source``."""
    return f"{GATE}.landed__{source}"


def landing_table(model: str) -> str:
    """The gate's table of a model that is computed per landing."""
    return f"{GATE}.landing__{model}"


def load_nights(connection: duckdb.DuckDBPyConnection, calendar: NightCalendar, nights: Sequence[Night]) -> None:
    """Make the gate's schema and its table of nights with their cutoffs (UTC timestamps without zone)."""
    clock = pa.table({  # noqa: F841 - read by name in the statement below
        SCORE_DATE: pa.array(nights, pa.date32()),
        "cutoff_at": pa.array([calendar.cutoff(night) for night in nights], pa.timestamp("us", tz="UTC")),
    })  # fmt: skip
    connection.execute(f"create schema {GATE}")
    connection.execute(f"create table {GATE}.nights as select score_date, cutoff_at::timestamp as cutoff_at from clock")


def load_landed(connection: duckdb.DuckDBPyConnection, contract: SourceContract, files: Iterable[Path]) -> bool:
    """Load landed rows, each with the night that landed it and the night that superseded it; whether any was superseded.

    Versions that were superseded within the night that landed them are never visible, and are left out.
    """
    paths = [str(path) for path in files]
    empty = contract.arrow_schema().append(pa.field(SCORE_DATE, pa.date32())).empty_table()
    rows = connection.read_parquet(paths, hive_partitioning=True) if paths else connection.from_arrow(empty)
    # Instants become UTC timestamps without zone: arithmetic on them cannot depend on a session's setting.
    columns = [
        f"{column.name}::timestamp as {column.name}" if column.type == "timestamp" else column.name
        for column in contract.columns
    ]
    landed = rows.select(", ".join([*columns, f"{SCORE_DATE}::date as {KNOWN_ON}"]))
    table, key = landed_table(contract.name), ", ".join(contract.key)
    landed.project(f"*, null::date as {SUPERSEDED_ON}").create(table)
    # Counting keys costs a fifth of ordering their versions, and most nights correct nothing.
    if not connection.execute(f"select 1 from {table} group by {key} having count(*) > 1 limit 1").fetchall():
        return False
    later = f"lead({KNOWN_ON}) over (partition by {key} order by {KNOWN_ON}, {KNOWN_AT})"
    connection.execute(f"""
        create or replace table {table} as
        select * from (select * replace ({later} as {SUPERSEDED_ON}) from {table})
        where {SUPERSEDED_ON} is null or {SUPERSEDED_ON} > {KNOWN_ON}
    """)
    return True


def make_window(connection: duckdb.DuckDBPyConnection, source: str, lookback_days: int | None) -> None:
    """Make the table of (night, landing night) pairs that a lookback allows; joined by equality it is cheap."""
    in_lookback = f"and landings.{KNOWN_ON} > nights.{SCORE_DATE} - {lookback_days}" if lookback_days else ""
    connection.execute(f"""
        create table {_window(source, lookback_days)} as
        select nights.{SCORE_DATE}, nights.cutoff_at, landings.{KNOWN_ON}
        from {GATE}.nights
        inner join (select distinct {KNOWN_ON} from {landed_table(source)}) as landings
            on landings.{KNOWN_ON} <= nights.{SCORE_DATE} {in_lookback}
    """)


def make_source_relation(
    connection: duckdb.DuckDBPyConnection, contract: SourceContract, lookback_days: int | None
) -> None:
    """Make the gated relation behind one ``source()``: each row once for every night that may know it."""
    visible = _visible(landed_table(contract.name), _window(contract.name, lookback_days), contract.column_names)
    connection.execute(f"create view {source_relation(contract.name, lookback_days)} as {visible}")


def make_landing_relation(
    connection: duckdb.DuckDBPyConnection,
    model: LandingModel,
    source: str,
    lookback_days: int,
    *,
    has_corrections: bool,
) -> None:
    """Make the gated relation of a model that was computed per landing: its rows or sums, for every night that may know them.

    A later correction parts one sum into what it supersedes and the rest. For nights that know both parts they are added
    up again, so that a night sees the sums that it would have seen before the correction landed. ``has_corrections`` says
    whether the source was loaded with any; without, the sums are shown as they are.
    """
    table = landing_table(model.name)
    if model.keys is not None and not has_corrections:
        visible = _visible(table, _window(source, lookback_days), [*model.keys, *model.added_up_by])
        connection.execute(f"create view {model.name} as {visible}")
        return
    computed = connection.sql(f"from {table}")
    types = dict(zip(computed.columns, map(str, computed.types), strict=True))
    columns = [name for name in types if name not in (KNOWN_ON, SUPERSEDED_ON)]
    visible = _visible(table, _window(source, lookback_days), columns)
    if model.keys is not None:
        keys = ", ".join([SCORE_DATE, "cutoff_at", *model.keys, KNOWN_ON])
        sums = [f"{how}({name})::{types[name]} as {name}" for name, how in model.added_up_by.items()]
        visible = f"select {', '.join([keys, *sums])} from ({visible}) group by {keys}"
    connection.execute(f"create view {model.name} as {visible}")


def _visible(table: str, window: str, columns: Iterable[str]) -> str:
    names = ", ".join(f"versions.{name}" for name in columns)
    return f"""
        select nights.{SCORE_DATE}, nights.cutoff_at, {names}, nights.{KNOWN_ON}
        from {table} as versions
        inner join {window} as nights on versions.{KNOWN_ON} = nights.{KNOWN_ON}
        where versions.{SUPERSEDED_ON} is null or nights.{SCORE_DATE} < versions.{SUPERSEDED_ON}
    """


def _window(source: str, lookback_days: int | None) -> str:
    return f"{GATE}.window__{source_relation(source, lookback_days)}"

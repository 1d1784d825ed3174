"""Runs models in a DuckDB connection where only gated relations exist.

A gated relation holds, for every night of the range, exactly the rows that this night may know: rows landed in the
night's lookback, none of a later night, and of each key the latest version known by then. It carries ``score_date``
and ``cutoff_at``, so a model is one select for one night and for any range of nights.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from ml_pipeline.contracts.source import KNOWN_AT, KNOWN_ON, SCORE_DATE, SourceContract
from ml_pipeline.io.duckdb_connections import lock_down, utc_connection
from ml_pipeline.io.sql_project import SPINE, SqlProject
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of, source_relation
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import Night, NightCalendar, lookback_nights, nights_between

# Ungated rows lie in a schema of their own: a model writes names without a schema, so it cannot spell theirs.
_GATE = "gate"
_SQL_TYPES = {"category": "varchar", "number": "double"}
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
            "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN", '"NULL"')  # fmt: skip


@dataclass(frozen=True)
class GatedRunner:
    """Builds models of ``project`` from the landed rows in ``tables``."""

    project: SqlProject
    tables: TableStore
    calendar: NightCalendar
    threads: int = 2

    def landed_nights(self, lookback_days: int | None, first: Night, last: Night) -> tuple[Night, ...]:
        """The nights of a source that a run for ``first`` to ``last`` may open: none after ``last``."""
        start = self.calendar.first_night
        if lookback_days is not None:
            start = lookback_nights(first, lookback_days, first_night=start)[0]
        return nights_between(start, last)

    def build(self, target: str, first: Night, last: Night) -> pa.Table:
        """Rows of model ``target`` for nights ``first`` to ``last``.

        Raises:
            SqlRefusedError: a model names a column that no gated relation has, or fails to run.
        """
        with utc_connection(threads=self.threads) as connection:
            self._run(connection, self.project.needed_for([target]), first, last)
            return _with_utc(connection.table(target).to_arrow_table())

    def build_features(self, first: Night, last: Night) -> pa.Table:
        """The feature table: one row per row of the spine, features in the declared order.

        Raises:
            SqlRefusedError: a model cannot run, breaks the grain of the spine, or has other columns than declared.
        """
        key = [SCORE_DATE, *self.project.project.entity_key]
        with utc_connection(threads=self.threads) as connection:
            self._run(connection, self.project.feature_models, first, last)
            for model in self.project.in_folder("features"):
                self._require_columns(connection, model, key)
                _require_grain(connection, model, key)
            return _with_utc(connection.sql(self._joined_features(key)).to_arrow_table())

    def _joined_features(self, key: Sequence[str]) -> str:
        # One statement: chained relations are bound anew with every join, which costs more than the joins of a night.
        keys = ", ".join(key)
        models = self.project.in_folder("features")
        casts = [
            f"cast({model.name}.{column.name} as {_SQL_TYPES[column.type]}) as {column.name}"
            for model in models
            for column in self.project.contracts[model.name].columns
        ]
        joins = " ".join(f"left join {model.name} using ({keys})" for model in models)
        return (
            f"select {', '.join([keys, *casts])} from (select {keys} from {SPINE}) as {SPINE} {joins} order by {keys}"
        )

    def _run(
        self, connection: duckdb.DuckDBPyConnection, models: Sequence[SqlModel], first: Night, last: Night
    ) -> None:
        nights = nights_between(first, last)
        calendar = pa.table({  # noqa: F841 - read by name in the statement below
            SCORE_DATE: pa.array(nights, pa.date32()),
            "cutoff_at": pa.array([self.calendar.cutoff(night) for night in nights], pa.timestamp("us", tz="UTC")),
        })  # fmt: skip
        connection.execute(f"create schema {_GATE}")
        connection.execute(
            f"create table {_GATE}.nights as select score_date, cutoff_at::timestamp as cutoff_at from calendar"
        )
        for source, lookback_days in self.project.lookbacks(models).items():
            self._load(connection, source, self.landed_nights(lookback_days, first, last))
        lock_down(connection)
        for source, lookback_days in sorted({read for model in models for read in model.sources}, key=str):
            connection.execute(_relation_sql(self.project.sources[source], lookback_days))
        for model in models:
            self._create(connection, model)

    def _load(self, connection: duckdb.DuckDBPyConnection, source: str, nights: Sequence[Night]) -> None:
        contract = self.project.sources[source]
        files = [str(path) for path in self.tables.files(f"raw/{source}", nights)]
        empty = contract.arrow_schema().append(pa.field(SCORE_DATE, pa.date32())).empty_table()
        rows = connection.read_parquet(files, hive_partitioning=True) if files else connection.from_arrow(empty)
        # Instants become UTC timestamps without zone: arithmetic on them cannot depend on a session's setting.
        columns = [
            f"{column.name}::timestamp as {column.name}" if column.type == "timestamp" else column.name
            for column in contract.columns
        ]
        rows.select(", ".join([*columns, f"{SCORE_DATE}::date as {KNOWN_ON}"])).create(f"{_GATE}.landed__{source}")

    def _create(self, connection: duckdb.DuckDBPyConnection, model: SqlModel) -> None:
        try:
            connection.execute(f"create table {model.name} as {model.sql}")
        except duckdb.BinderException as error:
            raise _binder_refusal(model, error, self.project) from error
        except duckdb.Error as error:
            raise SqlRefusedError(model.path, _line(model, error), f"cannot run: {error}", "correct the SQL") from error

    def _require_columns(self, connection: duckdb.DuckDBPyConnection, model: SqlModel, key: Sequence[str]) -> None:
        contract = self.project.contracts[model.name]
        declared = [*key, *(column.name for column in contract.columns)]
        built = connection.table(model.name)
        if sorted(built.columns) != sorted(declared):
            raise SqlRefusedError(
                model.path, 1,
                f"columns differ from {model.folder}.yml: missing {sorted(set(declared) - set(built.columns))}, "
                f"not declared {sorted(set(built.columns) - set(declared))}",
                "declare each feature once, and select the entity key, score_date and the features, nothing else",
            )  # fmt: skip
        types = dict(zip(built.columns, map(str, built.types), strict=True))
        for column in contract.columns:
            if column.type == "number" and not types[column.name].startswith(_NUMBERS):
                raise SqlRefusedError(
                    model.path, line_of(model.text, column.name),
                    f"feature {column.name} is {types[column.name]}, not a number",
                    f"cast it, or declare it with type: category in {model.folder}.yml",
                )  # fmt: skip


def _require_grain(connection: duckdb.DuckDBPyConnection, model: SqlModel, key: Sequence[str]) -> None:
    columns = ", ".join(key)
    doubled = connection.execute(
        f"select {columns}, count(*) as copies from {model.name} group by {columns} having copies > 1 "
        f"order by {columns} limit 1"
    ).fetchone()
    if doubled:
        raise SqlRefusedError(
            model.path, 1, f"more than one row per {columns}, for example {doubled}",
            "a join fans out; make its right side unique",
        )  # fmt: skip


def _relation_sql(contract: SourceContract, lookback_days: int | None) -> str:
    """The gate itself: which landed row is visible on which night.

    A row is superseded on the night on which a later version of its key lands; the version that was known before
    stays visible to earlier nights, so a correction never changes the past.
    """
    key = ", ".join(contract.key)
    columns = ", ".join(f"versions.{name}" for name in (*contract.column_names, KNOWN_ON))
    in_lookback = f"and versions.{KNOWN_ON} > nights.{SCORE_DATE} - {lookback_days}" if lookback_days else ""
    return f"""
        create view {source_relation(contract.name, lookback_days)} as
        with versions as (
            select *, lead({KNOWN_ON}) over (partition by {key} order by {KNOWN_ON}, {KNOWN_AT}) as superseded_on
            from {_GATE}.landed__{contract.name}
        )
        select nights.{SCORE_DATE}, nights.cutoff_at, {columns}
        from versions
        inner join {_GATE}.nights
            on versions.{KNOWN_ON} <= nights.{SCORE_DATE} {in_lookback}
            and (versions.superseded_on is null or nights.{SCORE_DATE} < versions.superseded_on)
    """


def _binder_refusal(model: SqlModel, error: duckdb.BinderException, project: SqlProject) -> SqlRefusedError:
    text = str(error).splitlines()[0]
    quoted = text.split('"')[1::2]
    owners = [source.name for source in project.sources.values() if set(quoted) & set(source.column_names)]
    remedy = "read it from a gated relation that has it"
    if owners:
        when = project.sources[owners[0]].known_when
        remedy = (
            f"it belongs to source('{owners[0]}'), known {when}: aggregate earlier rows with "
            f"source('{owners[0]}', lookback_days=n); the row's own value is not known at the cutoff"
        )
    return SqlRefusedError(model.path, _line(model, error), text, remedy)


def _line(model: SqlModel, error: duckdb.Error) -> int:
    # The statement begins on the model's first line, so DuckDB's line is the file's; some errors come without one.
    told = re.search(r"^LINE (\d+):", str(error), re.MULTILINE)
    return int(told[1]) if told else line_of(model.text, *str(error).splitlines()[0].split('"')[1::2])


def _with_utc(rows: pa.Table) -> pa.Table:
    for position, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            instants = rows.column(position).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
            rows = rows.set_column(position, field.name, instants)
    return rows

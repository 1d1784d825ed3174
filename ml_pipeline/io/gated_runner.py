"""Runs models in a DuckDB connection where only gated relations exist.

A gated relation holds, for every night of the range, exactly the rows that this night may know: rows landed in the
night's lookback, none of a later night, and of each key the latest version known by then. It carries ``score_date``
and ``cutoff_at``, so a model is one select for one night and for any range of nights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from ml_pipeline.contracts.source import KNOWN_AT, KNOWN_ON, SCORE_DATE, SourceContract
from ml_pipeline.io.duckdb_connections import lock_down, utc_connection
from ml_pipeline.io.sql_project import SPINE, SqlProject
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, source_relation
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import Night, NightCalendar, lookback_nights, nights_between


@dataclass(frozen=True)
class GatedRunner:
    """Builds models of ``project`` from the landed rows in ``tables``."""

    project: SqlProject
    tables: TableStore
    calendar: NightCalendar
    threads: int = 2

    def landed_nights(self, source: str, lookback_days: int | None, first: Night, last: Night) -> tuple[Night, ...]:
        """The nights of ``source`` that a run for ``first`` to ``last`` may open: none after ``last``."""
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
            joined = connection.table(SPINE).select(*key)
            for model in self.project.in_folder("features"):
                self._require_grain(connection, model, key)
                joined = joined.join(connection.table(model.name), ",".join(key), how="left")
            casts = [
                f"cast({feature.name} as {'varchar' if feature.type == 'category' else 'double'}) as {feature.name}"
                for feature in self.project.features
            ]
            return _with_utc(joined.select(", ".join([*key, *casts])).order(", ".join(key)).to_arrow_table())

    def _run(
        self, connection: duckdb.DuckDBPyConnection, models: Sequence[SqlModel], first: Night, last: Night
    ) -> None:
        nights = nights_between(first, last)
        calendar = pa.table({  # noqa: F841 - read by name in the statement below
            SCORE_DATE: pa.array(nights, pa.date32()),
            "cutoff_at": pa.array([self.calendar.cutoff(night) for night in nights], pa.timestamp("us", tz="UTC")),
        })  # fmt: skip
        connection.execute("create table nights as select score_date, cutoff_at::timestamp as cutoff_at from calendar")
        for source, lookback_days in self.project.lookbacks(models).items():
            self._load(connection, source, self.landed_nights(source, lookback_days, first, last))
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
        rows.select(", ".join([*columns, f"{SCORE_DATE}::date as {KNOWN_ON}"])).create(f"landed__{source}")

    def _create(self, connection: duckdb.DuckDBPyConnection, model: SqlModel) -> None:
        try:
            connection.execute(f"create table {model.name} as {model.sql}")
        except duckdb.BinderException as error:
            raise _binder_refusal(model, error, self.project) from error
        except duckdb.Error as error:
            raise SqlRefusedError(model.path, 1, f"cannot run: {error}", "correct the SQL") from error

    def _require_grain(self, connection: duckdb.DuckDBPyConnection, model: SqlModel, key: Sequence[str]) -> None:
        declared = [*key, *(column.name for column in self.project.contracts[model.name].columns)]
        built = connection.table(model.name)
        if sorted(built.columns) != sorted(declared):
            raise SqlRefusedError(
                model.path, 1,
                f"columns differ from {model.folder}.yml: missing {sorted(set(declared) - set(built.columns))}, "
                f"not declared {sorted(set(built.columns) - set(declared))}",
                "declare each feature once, and select the entity key, score_date and the features, nothing else",
            )  # fmt: skip
        columns = ", ".join(key)
        doubled = built.aggregate(f"{columns}, count(*) as copies", columns).filter("copies > 1")
        if doubled.limit(1).fetchall():
            raise SqlRefusedError(
                model.path, 1, f"more than one row per {columns}, for example {doubled.order(columns).limit(1).fetchall()[0]}",
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
            from landed__{contract.name}
        )
        select nights.{SCORE_DATE}, nights.cutoff_at, {columns}
        from versions
        inner join nights
            on versions.{KNOWN_ON} <= nights.{SCORE_DATE} {in_lookback}
            and (versions.superseded_on is null or nights.{SCORE_DATE} < versions.superseded_on)
    """


def _binder_refusal(model: SqlModel, error: duckdb.BinderException, project: SqlProject) -> SqlRefusedError:
    text = str(error).splitlines()[0]
    quoted = text.split('"')[1::2]
    line = next((n for n, row in enumerate(model.text.splitlines(), 1) if any(word in row for word in quoted)), 1)
    owners = [source.name for source in project.sources.values() if set(quoted) & set(source.column_names)]
    remedy = "read it from a gated relation that has it"
    if owners:
        when = project.sources[owners[0]].known_when
        remedy = (
            f"it belongs to source('{owners[0]}'), known {when}: aggregate earlier rows with "
            f"source('{owners[0]}', lookback_days=n); the row's own value is not known at the cutoff"
        )
    return SqlRefusedError(model.path, line, text, remedy)


def _with_utc(rows: pa.Table) -> pa.Table:
    for position, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            instants = rows.column(position).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
            rows = rows.set_column(position, field.name, instants)
    return rows

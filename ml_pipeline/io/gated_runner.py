"""Runs models in a DuckDB connection where only gated relations exist.

A gated relation holds, for every night of the range, exactly the rows that this night may know: rows landed in the
night's lookback, none of a later night, and of each key the latest version known by then. It carries ``score_date``
and ``cutoff_at``, so a model is one select for one night and for any range of nights.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.duckdb_connections import lock_down, utc_connection
from ml_pipeline.io.feature_shape import require_columns, require_grain
from ml_pipeline.io.gate import (
    landing_table,
    load_landed,
    load_nights,
    make_landing_relation,
    make_source_relation,
    make_window,
)
from ml_pipeline.io.model_tests import run_model_tests
from ml_pipeline.io.sql_project import SPINE, SqlProject
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import Night, NightCalendar, lookback_nights, nights_between

_SQL_TYPES = {"category": "varchar", "number": "double"}


@dataclass(frozen=True)
class GatedRunner:
    """Builds models of ``project`` from the landed rows in ``tables``.

    Attributes:
        versions: the Delta version of each table to be read, by name; the newest where a table is not named.
        is_tested: whether the tests of the models' YAML are run on what is built. Audits that alter landed rows switch them
            off: hostile values are to be seen through, not to be refused.
    """

    project: SqlProject
    tables: TableStore
    calendar: NightCalendar
    threads: int = 2
    versions: Mapping[str, int] = field(default_factory=dict)
    is_tested: bool = False

    def landed_nights(self, lookback_days: int | None, first: Night, last: Night) -> tuple[Night, ...]:
        """The nights of a source that a run for ``first`` to ``last`` may open: none after ``last``."""
        start = self.calendar.first_night
        if lookback_days is not None:
            start = lookback_nights(first, lookback_days, first_night=start)[0]
        return nights_between(start, last)

    def build(self, target: str, first: Night, last: Night) -> pa.Table:
        """Rows of model ``target`` for nights ``first`` to ``last``.

        Raises:
            SqlRefusedError: a model names a column that no gated relation has, or fails to run. ModelTestError: rows of a
                model break its tests.
        """
        with utc_connection(threads=self.threads) as connection:
            models = self.project.with_related(self.project.needed_for([target]))
            self._run(connection, models, first, last)
            self._test(connection, models)
            return _with_utc(connection.table(target).to_arrow_table())

    def build_features(self, first: Night, last: Night) -> pa.Table:
        """The feature table: one row per row of the spine, features in the declared order.

        Raises:
            SqlRefusedError: a model cannot run, breaks the grain of the spine, or has other columns than declared.
            ModelTestError: rows of a model break its tests.
        """
        key = [SCORE_DATE, *self.project.project.entity_key]
        with utc_connection(threads=self.threads) as connection:
            models = self.project.with_related(self.project.feature_models)
            self._run(connection, models, first, last)
            features = self.project.in_folder("features")
            require_columns(connection, features, self.project.contracts, key)
            require_grain(connection, features, key)
            self._test(connection, models)
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
        corrected = self._open_gate(connection, models, first, last)
        for model in models:
            if model.name in self.project.landing_models:
                self._compute_per_landing(connection, model, corrected)
            else:
                self._create(connection, model, model.name, model.sql)

    def _open_gate(
        self, connection: duckdb.DuckDBPyConnection, models: Sequence[SqlModel], first: Night, last: Night
    ) -> frozenset[str]:
        """Make every gated source relation; returns the sources that were loaded with corrections."""
        corrected = set()
        load_nights(connection, self.calendar, nights_between(first, last))
        for source, lookback_days in self.project.lookbacks(models).items():
            nights = self.landed_nights(lookback_days, first, last)
            files = self.tables.files(f"raw/{source}", nights, version=self.versions.get(f"raw/{source}"))
            if load_landed(connection, self.project.sources[source], files):
                corrected.add(source)
        lock_down(connection)
        for source, lookback_days in self.project.sources_read(models):
            make_window(connection, source, lookback_days)
            make_source_relation(connection, self.project.sources[source], lookback_days)
        return frozenset(corrected)

    def _test(self, connection: duckdb.DuckDBPyConnection, models: Sequence[SqlModel]) -> None:
        if self.is_tested:
            for model in models:
                run_model_tests(
                    connection, model, self.project.contracts[model.name], key=self.project.project.entity_key
                )

    def _compute_per_landing(
        self, connection: duckdb.DuckDBPyConnection, model: SqlModel, corrected: frozenset[str]
    ) -> None:
        landing = self.project.landing_models[model.name]
        source, lookback_days = self.project.landing_source(model.name)
        self._create(connection, model, landing_table(model.name), landing.sql)
        make_landing_relation(connection, landing, source, lookback_days, has_corrections=source in corrected)

    def _create(self, connection: duckdb.DuckDBPyConnection, model: SqlModel, table: str, sql: str) -> None:
        try:
            connection.execute(f"create table {table} as {sql}")
        except duckdb.BinderException as error:
            raise _binder_refusal(model, error, self.project) from error
        except duckdb.Error as error:
            raise SqlRefusedError(model.path, _line(model, error), f"cannot run: {error}", "correct the SQL") from error


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
    for position, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            instants = rows.column(position).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
            rows = rows.set_column(position, column.name, instants)
    return rows

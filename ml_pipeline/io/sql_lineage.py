"""Column lineage: from which columns of which sources a column of a model, and so a feature, is computed.

sqlglot resolves every star and every name of a model, given the columns of the relations that it reads; the way back to the
sources is then walked here, model by model.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlglot
from sqlglot.errors import SqlglotError

from ml_pipeline.contracts.source import KNOWN_ON, SCORE_DATE
from ml_pipeline.io.sql_column_reads import ColumnReads, Reads, SourceColumn
from ml_pipeline.io.sql_project import SqlProject
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of, source_relation

# No source can be called so: the name has a space.
CALENDAR = "the calendar"
_OF_THE_NIGHT = (SCORE_DATE, "cutoff_at")


@dataclass(frozen=True)
class Lineage:
    """What a column of a model is made from.

    Attributes:
        columns: what the value is computed from, sorted by source and column; none for a constant.
        filtered_by: what only chooses, joins or groups the rows, and is not in ``columns``.
        models: the models on the way of the value, from ``model`` to the sources.
    """

    model: str
    column: str
    columns: tuple[SourceColumn, ...]
    filtered_by: tuple[SourceColumn, ...]
    models: tuple[str, ...]

    @property
    def has_pii(self) -> bool:
        """Whether the value is computed from personal data; a key that only joins does not count."""
        return any(column.is_pii for column in self.columns)


def column_lineage(sql: SqlProject, model: str, column: str) -> Lineage:
    """Where ``column`` of ``model`` comes from.

    Raises:
        ValueError: there is no such model or column.
        SqlRefusedError: a name in a model on the way belongs to no relation, or to two.
    """
    return _Tracer(sql).lineage(model, column)


def feature_lineage(sql: SqlProject) -> dict[str, Lineage]:
    """The lineage of every feature by name, in the order of the feature table; reads every model once.

    Raises:
        ValueError: a model has no column for a feature that it is declared to have.
        SqlRefusedError: a name in a model on the way belongs to no relation, or to two.
    """
    tracer = _Tracer(sql)
    models = sql.in_folder("features")
    owned = [(model.name, column.name) for model in models for column in sql.contracts[model.name].columns]
    return {column: tracer.lineage(model, column) for model, column in owned}


class _Tracer:
    """Follows columns through the models of one project; keeps what it has resolved."""

    def __init__(self, sql: SqlProject) -> None:
        self._sql = sql
        self._roots: dict[str, Any] = {}
        self._reads = ColumnReads(self._of_relation, self._columns)

    def lineage(self, model: str, column: str) -> Lineage:
        if model not in self._sql.models:
            raise ValueError(f"there is no model {model}; models are {sorted(self._sql.models)}")
        if column not in self._columns(model):
            raise ValueError(
                f"{self._sql.models[model].path}: {model} has no column {column}, only {self._columns(model)}"
            )
        reads = self._of_relation(model, column)
        passed = [needed.name for needed in self._sql.needed_for([model]) if needed.name in reads.models]
        values = _longest(reads.values)
        names = {(value.source, value.column) for value in values}
        filters = tuple(each for each in _longest(reads.filters) if (each.source, each.column) not in names)
        return Lineage(model, column, values, filters, tuple(reversed(passed)))

    @cached_property
    def _sources(self) -> dict[str, tuple[str, int | None]]:
        """Source and lookback behind each gated relation."""
        return {source_relation(*read): read for model in self._sql.models.values() for read in model.sources}

    def _is_per_landing(self, model: str) -> bool:
        return self._sql.contracts[model].computed_per == "landing"

    def _columns(self, relation: str) -> list[str]:
        """Columns that a reader of ``relation``, a gated source or a model, finds in it."""
        if relation in self._sources:
            source = self._sql.sources[self._sources[relation][0]]
            return [*source.column_names, *_OF_THE_NIGHT, KNOWN_ON]
        own = [output.alias_or_name for output in self._root(relation).expression.selects]
        return [*own, *_OF_THE_NIGHT, KNOWN_ON] if self._is_per_landing(relation) else own

    def _root(self, model: str) -> Any:
        if model not in self._roots:
            relations = sorted(self._sql.models[model].relations)
            self._roots[model] = _resolved(
                self._sql.models[model], {relation: self._columns(relation) for relation in relations}
            )
        return self._roots[model]

    def _of_relation(self, relation: str, column: str) -> Reads:
        if relation in self._sources:
            return Reads(frozenset({self._source_column(relation, column)}))
        if self._is_per_landing(relation) and column in (*_OF_THE_NIGHT, KNOWN_ON):
            # The engine adds the clocks of the one relation that such a model reads.
            (read,) = self._sql.models[relation].relations
            reads = self._of_relation(read, column)
        else:
            reads = self._reads.of_output(self._root(relation), column)
        return reads | Reads(models=frozenset({relation}))

    def _source_column(self, relation: str, column: str) -> SourceColumn:
        if column in _OF_THE_NIGHT:
            return SourceColumn(CALENDAR, column)
        source, days = self._sources[relation]
        declared = {each.name: each for each in self._sql.sources[source].columns}
        return SourceColumn(source, column, days, column in declared and declared[column].pii)


def _longest(columns: frozenset[SourceColumn]) -> tuple[SourceColumn, ...]:
    """Each column once, with the longest lookback with which it is read, sorted by source and name."""
    longest = {
        (each.source, each.column): each
        for each in sorted(columns, key=lambda each: (each.source, each.column, each.lookback_days or 0))
    }
    return tuple(longest.values())


def _resolved(model: SqlModel, columns: dict[str, list[str]]) -> Any:
    """The scope of ``model`` in which every column names its relation, given the columns of each relation."""
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    schema = {relation: dict.fromkeys(names, "unknown") for relation, names in columns.items()}
    try:
        query = sqlglot.parse_one(model.sql, dialect="duckdb")
        return build_scope(qualify(query, dialect="duckdb", schema=schema, identify=False, quote_identifiers=False))
    except SqlglotError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SqlRefusedError(
            model.path, line_of(model.sql, *reason.split("'")[1::2]), f"its columns cannot be followed: {reason}",
            "write each column with its relation: relation.column",
        ) from error  # fmt: skip

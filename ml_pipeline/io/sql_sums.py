"""Refuses sums of floating-point numbers: the last digit of such a sum depends on the order of the rows.

DuckDB itself tells the type of what is summed. It binds the models one after the other over empty tables, so a type is known
through any number of models and for every function that DuckDB has.
"""

from collections.abc import Collection, Iterator, Mapping

import duckdb
from sqlglot import exp

from ml_pipeline.contracts.source import KNOWN_ON, SCORE_DATE, SourceContract
from ml_pipeline.io.sql_functions import written
from ml_pipeline.io.sql_scope import visible_definitions
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, source_relation

_SQL_TYPES = {
    "string": "varchar", "integer": "bigint", "number": "double", "boolean": "boolean", "timestamp": "timestamp", "date": "date",
}  # fmt: skip
_CLOCKS = {SCORE_DATE: "date", "cutoff_at": "timestamp", KNOWN_ON: "date"}
_SUMS = {"sum", "avg", "mean"}
_FLOATING = {"DOUBLE", "FLOAT"}
_EXACT = (*exp.DataType.INTEGER_TYPES, exp.DataType.Type.DECIMAL, exp.DataType.Type.BOOLEAN)


def refuse_floating_sums(
    connection: duckdb.DuckDBPyConnection,
    queries: Mapping[SqlModel, exp.Expression],
    sources: Mapping[str, SourceContract],
    landing: Collection[str],
) -> None:
    """Raise SqlRefusedError if a model sums or averages floating-point numbers.

    A model that DuckDB cannot bind is passed over, and so is what reads it: no night can run them, and the run says why.

    Args:
        connection: any; gets an empty table for each relation.
        queries: sqlglot's tree of each model, in an order in which each stands after what it reads.
        sources: every source, by name.
        landing: names of the models that are computed per landing; their readers see three clocks more.
    """
    for name, days in sorted({read for model in queries for read in model.sources}, key=str):
        columns = {column.name: _SQL_TYPES[column.type] for column in sources[name].columns}
        _create(connection, source_relation(name, days), columns | _CLOCKS)
    for model, query in queries.items():
        try:
            columns = _described(connection, model.sql)
        except duckdb.Error:
            continue
        _create(connection, model.name, columns | (_CLOCKS if model.name in landing else {}))
        for function in _first_of_each(query):
            _refuse_floating(connection, model, function)


def _first_of_each(query: exp.Expression) -> Iterator[exp.Func]:
    """The sums in ``query``; of those that add up the same in the same select, one."""
    seen = set()
    for function in query.find_all(exp.Func):
        if (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower() in _SUMS:
            what = id(function.find_ancestor(exp.Select)), _summed(function).sql(dialect="duckdb")
            if what not in seen:
                seen.add(what)
                yield function


def _refuse_floating(connection: duckdb.DuckDBPyConnection, model: SqlModel, function: exp.Func) -> None:
    summed = _summed(function)
    if isinstance(summed, exp.Cast) and summed.to.is_type(*_EXACT):
        return
    name, line = written(model, function)
    try:
        (kind,) = _described(connection, _probe(function, summed)).values()
    except duckdb.Error as error:
        raise SqlRefusedError(
            model.path, line, f"the type of what {name}() adds up cannot be told",
            "cast it inside the call to bigint or decimal, which are added up exactly",
        ) from error  # fmt: skip
    if kind in _FLOATING:
        raise SqlRefusedError(
            model.path, line, f"{name}() of floating-point numbers depends on the order of rows",
            "sum whole numbers or decimals and divide afterwards, or cast to decimal first",
        )  # fmt: skip


def _summed(function: exp.Func) -> exp.Expression:
    """What ``function`` adds up, without ``distinct`` and ``order by``."""
    summed = function.expressions[0] if isinstance(function, exp.Anonymous) else function.this
    while isinstance(summed, exp.Order | exp.Distinct):
        summed = summed.expressions[0] if isinstance(summed, exp.Distinct) else summed.this
    return summed


def _probe(function: exp.Func, summed: exp.Expression) -> str:
    """A select of what is summed alone, over the relations of the select that sums it."""
    select = function.find_ancestor(exp.Select)
    probe = exp.Select(expressions=[exp.alias_(summed.copy(), "summed")])
    if select is not None and select.args.get("from_"):
        probe.set("from_", select.args["from_"].copy())
        probe.set("joins", [join.copy() for join in select.args.get("joins") or ()])
    if visible := visible_definitions(function):
        probe.set("with_", exp.With(expressions=[definition.copy() for definition in visible]))
    return str(probe.sql(dialect="duckdb"))


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str]) -> None:
    # An expression without a name is called by its text, quotation marks and all.
    listed = ", ".join(f"{_quoted(column)} {kind}" for column, kind in columns.items())
    connection.execute(f"create or replace table {_quoted(name)} ({listed})")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _described(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, str]:
    return {name.lower(): kind for name, kind, *_ in connection.execute(f"describe {sql}").fetchall()}

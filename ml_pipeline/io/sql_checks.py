"""Refuses SQL that could see past the gate, or that could answer differently tomorrow."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.duckdb_connections import lock_down, utc_connection
from ml_pipeline.io.sql_functions import refuse_functions, written
from ml_pipeline.io.sql_scope import visible_ctes
from ml_pipeline.io.sql_second_parser import refuse_other_reading
from ml_pipeline.io.sql_sums import refuse_floating_sums
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of

# Fingerprints of models that passed together; what one says does not depend on the others, only on what it reads.
_found_safe: set[str] = set()
_GATED = "read rows only through source('name', lookback_days=n), ref('model') or spine()"
_JOIN = "join a gated relation instead"
# What stands where a select belongs: it would change, describe or reshape tables. Each with its spellings.
_FORBIDDEN_NODES = (
    (exp.Unnest, "unnest", _JOIN), (exp.Lateral, "lateral", _JOIN), (exp.TableSample, "tablesample|using sample", _JOIN),
    (exp.DML, "insert|update|delete|merge", "a model only selects"), (exp.DDL, "create", "a model only selects"),
    (exp.Summarize, "summarize", "select what you need"), (exp.Describe, "describe", "select what you need"),
    (exp.Pivot, "pivot|unpivot", "write the columns with filter (where …), so that they cannot depend on the rows"),
    (exp.Columns, "columns", "name the columns"), (exp.PositionalColumn, "#", "name the column"),
    (exp.Placeholder, "?", "nobody gives a model parameters"), (exp.Parameter, "$", "nobody gives a model parameters"),
)  # fmt: skip


# A bundle's models are, as a rule, models of the project, which were checked a moment ago.
@lru_cache(maxsize=1024)
def refuse_unsafe(model: SqlModel) -> None:
    """Raise SqlRefusedError if the text of ``model`` is more than one plain select over its gated relations."""
    query = _single_select(model)
    for table in query.find_all(exp.Table):
        _refuse_table(model, table)
    refuse_functions(model, query)
    for word, reason, remedy in _forbidden_clauses(query):
        raise SqlRefusedError(model.path, line_of(model.sql, *word.split("|")), reason, remedy)


def refuse_unsafe_together(
    models: Sequence[SqlModel], *, sources: Mapping[str, SourceContract], landing: Collection[str] = ()
) -> None:
    """Raise SqlRefusedError if DuckDB finds in ``models`` what their texts alone do not show.

    It must read the same relations in them as the checks did, and add up no floating-point numbers.

    Args:
        models: each passed ``refuse_unsafe`` and stands after the models that it reads.
        sources: every source, by name.
        landing: names of the models that are computed per landing.
    """
    found = _fingerprints(models, sources, landing)
    if found <= _found_safe:
        return
    with utc_connection(threads=1) as connection:
        lock_down(connection)
        queries = {model: _single_select(model) for model in models}
        for model, query in queries.items():
            refuse_other_reading(connection, model, query)
        refuse_floating_sums(connection, queries, sources, landing)
    _found_safe.update(found)


def _fingerprints(
    models: Sequence[SqlModel], sources: Mapping[str, SourceContract], landing: Collection[str]
) -> set[str]:
    """One for each model: of its text, and of all that it reads down to the types of the sources."""
    types = {name: [(column.name, column.type) for column in source.columns] for name, source in sources.items()}
    found: dict[str, str] = {}
    for model in models:
        read = [found[ref] for ref in model.refs], [types[name] for name, _ in model.sources]
        found[model.name] = sha256(repr((model, read, model.name in landing)).encode()).hexdigest()
    return set(found.values())


def normalised_sql(model: SqlModel) -> str:
    """The compiled SQL without comments, layout or letter case of keywords: what a version is a hash of."""
    return str(_single_select(model).sql(dialect="duckdb", comments=False, pretty=False))


@lru_cache(maxsize=256)
def _single_select(model: SqlModel) -> exp.Expression:
    """The tree of ``model``, parsed once and shared: read it, never change it."""
    try:
        statements = [statement for statement in sqlglot.parse(model.sql, dialect="duckdb") if statement is not None]
    except SqlglotError as error:
        found = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        reason = found.get("description") or str(error).splitlines()[0]
        raise SqlRefusedError(
            model.path, found.get("line") or 1, f"cannot be parsed: {reason}", "correct the SQL"
        ) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SqlRefusedError(model.path, 1, "a model is one select", "remove every other statement")
    return statements[0]


def _refuse_table(model: SqlModel, table: exp.Table) -> None:
    if isinstance(table.this, exp.Func):
        name, line = written(model, table.this)
        raise SqlRefusedError(model.path, line, f"{name}(): table functions are not allowed", _GATED)
    name = table.name.lower()
    if table.db or table.catalog or name not in visible_ctes(table) | model.relations:
        spelt = ".".join(part.name for part in table.parts)
        line = table.parts[-1].meta.get("line") or line_of(model.sql, spelt)
        raise SqlRefusedError(model.path, line, f"'{spelt}' is not a gated relation", _GATED)


def _forbidden_clauses(query: exp.Expression) -> Iterator[tuple[str, str, str]]:
    """The spellings of each forbidden clause, why it is refused, and what to write instead."""
    for kind, words, remedy in _FORBIDDEN_NODES:
        if query.find(kind):
            yield words, f"{words.split('|')[0]} is not allowed", remedy
    if any(with_.recursive for with_ in query.find_all(exp.With)):
        yield "recursive", "recursive is not allowed: its first step could read past the gate", "write plain selects"
    if any(join.method == "POSITIONAL" for join in query.find_all(exp.Join)):
        yield "positional", "positional pairs rows by chance", "join on the entity key and score_date"
    if any(isinstance(dot.expression, exp.Func) for dot in query.find_all(exp.Dot)):
        yield ".", "a function after a dot is not allowed", "write name(value), without a schema before it"
    if any(_is_inside_an_expression(star) for star in query.find_all(exp.Star)):
        yield "*", "* inside of an expression is not allowed", "name the columns"
    if any(column.name.lower() == "rowid" for column in query.find_all(exp.Column)):
        yield "rowid", "rowid tells where a row lies, which is chance", "use the entity key"
    for part in query.find_all(exp.Query):
        distinct = part.args.get("distinct")  # of a union it is a bare True
        distinct_on = isinstance(distinct, exp.Distinct) and distinct.args.get("on")
        found = (
            "distinct on" if distinct_on else next((word for word in ("limit", "offset") if part.args.get(word)), None)
        )
        if found and not part.args.get("order"):
            yield f"{found}|fetch", f"{found} without order by keeps arbitrary rows", "add a total order by"


def _is_inside_an_expression(star: exp.Star) -> bool:
    holder = star.parent.parent if isinstance(star.parent, exp.Column) else star.parent
    return not isinstance(holder, exp.Select | exp.Count)

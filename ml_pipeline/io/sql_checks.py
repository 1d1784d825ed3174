"""Refuses SQL that could see past the gate, or that could answer differently tomorrow."""

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from ml_pipeline.io.sql_scope import visible_ctes
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of

# Named as DuckDB names them; a test holds the list against DuckDB's own catalogue of functions.
_VOLATILE = {
    "now", "today", "ago", "current_date", "current_datetime", "current_time", "current_timestamp", "current_localtime",
    "current_localtimestamp", "localtime", "localtimestamp", "get_current_time", "get_current_timestamp",
    "transaction_timestamp", "random", "rand", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "nextval", "currval",
    "setval", "txid_current", "getenv", "getvariable", "current_setting", "version", "current_version", "pg_sleep", "sleep_ms",
    "current_user", "session_user", "user", "current_role", "current_catalog", "current_database", "current_schema",
    "current_schemas", "in_search_path", "current_query", "current_query_id", "current_connection_id",
    "current_transaction_id", "stats", "vector_type", "write_log", "error", "pg_conf_load_time", "pg_postmaster_start_time",
}  # fmt: skip
_ORDER_DEPENDENT = {
    "first", "last", "any_value", "arbitrary", "mode", "list", "array_agg", "string_agg", "group_concat", "listagg",
    "arg_max", "arg_min", "argmax", "argmin", "max_by", "min_by", "approx_count_distinct", "approx_distinct",
    "approx_quantile", "approx_top_k", "reservoir_quantile", "row_number", "rank", "dense_rank", "percent_rank",
    "cume_dist", "lag", "lead", "first_value", "last_value", "nth_value", "ntile",
}  # fmt: skip
# sqlglot keeps no position for these, so their spelling is looked for in the text.
_SPELLINGS = {
    exp.GroupConcat: ("string_agg", "group_concat", "listagg"), exp.ArgMax: ("arg_max", "argmax", "max_by"),
    exp.ArgMin: ("arg_min", "argmin", "min_by"),
}  # fmt: skip
_GATED = "read rows only through source('name', lookback_days=n), ref('model') or spine()"


def refuse_unsafe(model: SqlModel) -> None:
    """Raise SqlRefusedError if ``model`` is more than one plain select over its gated relations."""
    query = _single_select(model)
    for table in query.find_all(exp.Table):
        _refuse_table(model, table)
    for function in query.find_all(exp.Func):
        _refuse_function(model, function)
    for word, reason, remedy in _forbidden_clauses(query):
        raise SqlRefusedError(model.path, line_of(model.sql, *word.split("|")), reason, remedy)


def normalised_sql(model: SqlModel) -> str:
    """The compiled SQL without comments, layout or letter case of keywords: what a version is a hash of."""
    return str(_single_select(model).sql(dialect="duckdb", comments=False, pretty=False))


def _single_select(model: SqlModel) -> exp.Expression:
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
        name, line = _written(model, table.this)
        raise SqlRefusedError(model.path, line, f"{name}(): table functions are not allowed", _GATED)
    name = table.name.lower()
    if table.db or table.catalog or name not in visible_ctes(table) | model.relations:
        written = ".".join(part.name for part in table.parts)
        line = table.parts[-1].meta.get("line") or line_of(model.sql, written)
        raise SqlRefusedError(model.path, line, f"'{written}' is not a gated relation", _GATED)


def _refuse_function(model: SqlModel, function: exp.Func) -> None:
    name, line = _written(model, function)
    names = {name, function.sql_name().lower()}
    if names & _VOLATILE or (name == "age" and len(function.expressions) == 1):
        raise SqlRefusedError(
            model.path, line, f"{name}() depends on when or where it runs",
            "use cutoff_at or score_date, which every gated relation carries",
        )  # fmt: skip
    if names & _ORDER_DEPENDENT and not _is_ordered(function):
        raise SqlRefusedError(
            model.path, line, f"{name}() depends on the order of rows",
            "rank with row_number() over (… order by a total order) and keep rank 1",
        )  # fmt: skip
    if isinstance(function, exp.Sum | exp.Avg) and _is_floating(function.this):
        raise SqlRefusedError(
            model.path, line, f"{name}() of floating-point numbers depends on the order of rows",
            "sum whole numbers or decimals and divide afterwards, or cast to decimal first",
        )  # fmt: skip
    if isinstance(function, exp.Explode):
        raise SqlRefusedError(model.path, line, f"{name} is not allowed", "join a gated relation instead")


def _written(model: SqlModel, function: exp.Func) -> tuple[str, int]:
    """The name of ``function`` as its author spelt it, in lower case, and its line."""
    if "start" in function.meta:
        return model.sql[function.meta["start"] : function.meta["end"] + 1].lower(), function.meta["line"]
    spellings = _SPELLINGS.get(type(function), (function.sql_name().lower(),))
    name = next((word for word in spellings if line_of(f"\n{model.sql}", word) > 1), spellings[0])
    return name, line_of(model.sql, name)


def _is_ordered(function: exp.Func) -> bool:
    """Whether an order by stands in the call, in its window, or in the named window that it uses."""
    if any(isinstance(argument, exp.Order) for argument in function.iter_expressions()):
        return True
    holder = function.parent
    while isinstance(holder, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        holder = holder.parent
    if isinstance(holder, exp.WithinGroup):
        return True
    return isinstance(holder, exp.Window) and _is_ordered_window(holder, holder.find_ancestor(exp.Select))


def _is_ordered_window(window: exp.Window, select: exp.Select | None) -> bool:
    if window.args.get("order") or select is None or not window.alias:
        return bool(window.args.get("order"))
    named = (other for other in select.args.get("windows") or () if other.name.lower() == window.alias.lower())
    return any(other is not window and _is_ordered_window(other, select) for other in named)


def _is_floating(argument: exp.Expression | None) -> bool:
    """Whether the text shows that the number is floating: a division or a cast, seen through sums and products only."""
    if isinstance(argument, exp.Paren | exp.Neg | exp.Distinct):
        return any(_is_floating(part) for part in argument.iter_expressions())
    if isinstance(argument, exp.Add | exp.Sub | exp.Mul):
        return _is_floating(argument.this) or _is_floating(argument.expression)
    return isinstance(argument, exp.Div) or (isinstance(argument, exp.Cast) and argument.to.is_type("float", "double"))


def _forbidden_clauses(query: exp.Expression) -> Iterator[tuple[str, str, str]]:
    """The spellings of each forbidden clause, why it is refused, and what to write instead."""
    for kind, words in (
        (exp.Unnest, "unnest"),
        (exp.Lateral, "lateral"),
        (exp.TableSample, "tablesample|using sample"),
    ):
        if query.find(kind):
            yield words, f"{words.split('|')[0]} is not allowed", "join a gated relation instead"
    if any(with_.recursive for with_ in query.find_all(exp.With)):
        yield "recursive", "recursive is not allowed: its first step could read past the gate", "write plain selects"
    if any(join.method == "POSITIONAL" for join in query.find_all(exp.Join)):
        yield "positional", "positional pairs rows by chance", "join on the entity key and score_date"
    if any(column.name.lower() == "rowid" for column in query.find_all(exp.Column)):
        yield "rowid", "rowid tells where a row lies, which is chance", "use the entity key"
    for part in query.find_all(exp.Query):
        distinct_on = part.args.get("distinct") and part.args["distinct"].args.get("on")
        found = (
            "distinct on" if distinct_on else next((word for word in ("limit", "offset") if part.args.get(word)), None)
        )
        if found and not part.args.get("order"):
            yield f"{found}|fetch", f"{found} without order by keeps arbitrary rows", "add a total order by"

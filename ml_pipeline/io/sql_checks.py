"""Refuses SQL that could see past the gate, or that could answer differently tomorrow."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError

_VOLATILE = {
    "now", "today", "current_date", "current_time", "current_timestamp", "current_localtime", "current_localtimestamp",
    "localtime", "localtimestamp", "get_current_timestamp", "transaction_timestamp", "random", "rand", "setseed", "uuid",
    "gen_random_uuid", "uuidv4", "uuidv7", "nextval", "currval", "txid_current", "getenv", "getvariable",
    "current_setting", "version", "pg_sleep",
}  # fmt: skip
_ORDER_DEPENDENT = {
    "first", "last", "any_value", "arbitrary", "mode", "list", "array_agg", "string_agg", "group_concat", "listagg",
    "arg_max", "arg_min", "argmax", "argmin", "max_by", "min_by", "approx_count_distinct", "approx_quantile",
    "reservoir_quantile",
}  # fmt: skip


def refuse_unsafe(model: SqlModel) -> None:
    """Raise SqlRefusedError if ``model`` is more than one plain select over its gated relations."""
    query = _single_select(model)
    ctes = {cte.alias_or_name for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        _refuse_table(model, table, ctes)
    for function in query.find_all(exp.Func):
        _refuse_function(model, function)
    for kind, name in ((exp.Unnest, "unnest"), (exp.Lateral, "lateral"), (exp.TableSample, "tablesample")):
        if query.find(kind):
            raise _refused(model, name, f"{name} is not allowed", "join a gated relation instead")
    for select in query.find_all(exp.Select):
        if (select.args.get("limit") or select.args.get("distinct_on")) and not select.args.get("order"):
            raise _refused(model, "limit", "limit without order by keeps arbitrary rows", "add a total order by")


def normalised_sql(model: SqlModel) -> str:
    """The compiled SQL without comments, layout or letter case of keywords: what a version is a hash of."""
    return _single_select(model).sql(dialect="duckdb", comments=False, pretty=False)


def _single_select(model: SqlModel) -> exp.Expression:
    try:
        statements = [statement for statement in sqlglot.parse(model.sql, dialect="duckdb") if statement is not None]
    except ParseError as error:
        line = error.errors[0].get("line", 1) if error.errors else 1
        reason = error.errors[0].get("description", "syntax error") if error.errors else "syntax error"
        raise SqlRefusedError(model.path, line, f"cannot be parsed: {reason}", "correct the SQL") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise SqlRefusedError(model.path, 1, "a model is one select", "remove every other statement")
    return statements[0]


def _refuse_table(model: SqlModel, table: exp.Table, ctes: set[str]) -> None:
    if isinstance(table.this, exp.Func):
        raise _refused(model, table.this.sql_name(), "table functions are not allowed", _REMEDY)
    is_gated = not table.db and not table.catalog and (table.name in ctes or table.name in model.relations)
    if not is_gated:
        written = ".".join(part.name for part in table.parts)
        raise _refused(model, written, f"'{written}' is not a gated relation", _REMEDY)


_REMEDY = "read rows only through source('name', lookback_days=n), ref('model') or spine()"


def _refuse_function(model: SqlModel, function: exp.Func) -> None:
    names = {function.sql_name().lower(), type(function).__name__.lower(), function.name.lower()}
    if isinstance(function, exp.Anonymous):
        names = {str(function.this).lower()}
    names |= {re.sub(r"(?<!^)(?=[A-Z])", "_", type(function).__name__).lower()}
    volatile = names & _VOLATILE
    if volatile:
        name = sorted(volatile)[0]
        raise _refused(
            model, name, f"{name}() depends on when or where it runs",
            "use cutoff_at or score_date, which every gated relation carries",
        )  # fmt: skip
    arbitrary = names & _ORDER_DEPENDENT
    is_window = isinstance(function.parent, exp.Window) and function.parent.args.get("order")
    if arbitrary and not is_window and not function.find(exp.Order):
        name = sorted(arbitrary)[0]
        raise _refused(
            model, name, f"{name}() depends on the order of rows",
            "rank with row_number() over (… order by a total order) and keep rank 1",
        )  # fmt: skip


def _refused(model: SqlModel, word: str, reason: str, remedy: str) -> SqlRefusedError:
    """Point at the first line of the model that holds ``word``; comments are skipped."""
    pattern = re.compile(rf"\b{re.escape(word.split('.')[0])}\b", re.IGNORECASE)
    for number, line in enumerate(model.text.splitlines(), start=1):
        if pattern.search(line.split("--")[0]):
            return SqlRefusedError(model.path, number, reason, remedy)
    return SqlRefusedError(model.path, 1, reason, remedy)

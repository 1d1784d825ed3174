"""Refuses functions whose answer depends on the moment, on the machine, or on the order in which rows happen to come."""

from sqlglot import exp

from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of

# All names as DuckDB spells them; tests hold the sets against DuckDB's own catalogue of functions.
# These answer without brackets too, unless a column is called like them.
_BARE = {
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user",
    "localtime", "localtimestamp", "session_user", "user",
}  # fmt: skip
VOLATILE = _BARE | {
    "now", "today", "ago", "current_datetime", "current_localtime", "current_localtimestamp", "get_current_time",
    "get_current_timestamp", "transaction_timestamp", "random", "rand", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7",
    "nextval", "currval", "setval", "txid_current", "getenv", "getvariable", "current_setting", "version", "current_version",
    "pg_sleep", "sleep_ms", "current_database", "current_schemas", "in_search_path", "current_query", "current_query_id",
    "current_connection_id", "current_transaction_id", "stats", "vector_type", "write_log", "error", "pg_conf_load_time",
    "pg_postmaster_start_time",
}  # fmt: skip
ORDER_DEPENDENT = {
    "first", "last", "any_value", "arbitrary", "mode", "list", "array_agg", "string_agg", "group_concat", "listagg",
    "arg_max", "arg_min", "argmax", "argmin", "max_by", "min_by", "arg_max_null", "arg_min_null", "arg_max_nulls_last",
    "arg_min_nulls_last", "approx_count_distinct", "approx_distinct", "approx_quantile", "approx_top_k", "reservoir_quantile",
    "lttb", "json_group_array", "json_group_object", "json_group_structure", "variant_group_array", "variant_group_object",
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "lag", "lead", "first_value", "last_value", "nth_value",
    "ntile", "fill",
}  # fmt: skip
# They compute in floating point whatever the type of their argument: on two threads each gave another last digit in most of
# ten runs over the same two million rows, the compensated sums too.
FLOATING = {
    "product", "fsum", "favg", "kahan_sum", "sumkahan", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp",
    "sem", "skewness", "kurtosis", "kurtosis_pop", "corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_intercept",
    "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "entropy", "wavg", "weighted_avg", "geomean", "geometric_mean",
}  # fmt: skip
_MULTIPLYING = {"unnest", "generate_subscripts", "regexp_split_to_table"}
# What they compute is hidden in a state or named in a text.
_OPAQUE = {"combine_aggr", "combine", "finalize", "to_aggregate_state", "json_execute_serialized_sql"}
# sqlglot keeps no position for these, so their spelling is looked for in the text.
_SPELLINGS = {
    exp.GroupConcat: ("string_agg", "group_concat", "listagg"), exp.ArgMax: ("arg_max", "argmax", "max_by"),
    exp.ArgMin: ("arg_min", "argmin", "min_by"),
}  # fmt: skip


def refuse_functions(model: SqlModel, query: exp.Expression) -> None:
    """Raise SqlRefusedError if ``query`` calls a function that could answer differently tomorrow."""
    for function in query.find_all(exp.Func):
        _refuse_function(model, function)
    for column in query.find_all(exp.Column):
        name = column.name.lower()
        if name in _BARE and not column.table and not column.this.args.get("quoted"):
            raise SqlRefusedError(
                model.path, _line_of_column(model, column), f"{name} depends on when or where it runs",
                f"if it is a column, write it with its relation: relation.{name}",
            )  # fmt: skip
    for window in query.find_all(exp.Window):
        _refuse_frame(model, window)


def written(model: SqlModel, function: exp.Func) -> tuple[str, int]:
    """The name of ``function`` as its author spelt it, in lower case, and its line."""
    if "start" in function.meta:
        # In quotes it is the same function.
        spelt = model.sql[function.meta["start"] : function.meta["end"] + 1].strip('"').lower()
        return spelt, function.meta["line"]
    spellings = _SPELLINGS.get(type(function), (function.sql_name().lower(),))
    name = next((word for word in spellings if line_of(f"\n{model.sql}", word) > 1), spellings[0])
    return name, line_of(model.sql, name)


def _refuse_function(model: SqlModel, function: exp.Func) -> None:
    name, line = written(model, function)
    names = {name, function.sql_name().lower()}
    if names & VOLATILE or (name == "age" and len(function.expressions) < 2):
        raise SqlRefusedError(
            model.path, line, f"{name}() depends on when or where it runs",
            "use cutoff_at or score_date, which every gated relation carries",
        )  # fmt: skip
    if names & FLOATING:
        raise SqlRefusedError(
            model.path, line, f"{name}() computes in floating point and depends on the order of rows",
            "compute it from sums of whole numbers or decimals: sum(x), sum(x * x), sum(x * y), count(*)",
        )  # fmt: skip
    if names & ORDER_DEPENDENT and not _is_ordered(function):
        raise SqlRefusedError(
            model.path, line, f"{name}() depends on the order of rows",
            "rank with row_number() over (… order by a total order) and keep rank 1",
        )  # fmt: skip
    if names & _MULTIPLYING or isinstance(function, exp.Explode):
        raise SqlRefusedError(model.path, line, f"{name} is not allowed", "join a gated relation instead")
    if names & _OPAQUE:
        raise SqlRefusedError(
            model.path, line, f"{name}() hides what it computes", "call the aggregate or write the select itself"
        )


def _refuse_frame(model: SqlModel, window: exp.Window) -> None:
    """A frame that ends at a row takes the rows before it in the order in which they happen to come."""
    spec = window.args.get("spec")
    is_whole = spec is not None and spec.args.get("start") == spec.args.get("end") == "UNBOUNDED"
    if spec is not None and not is_whole and not _is_ordered_window(window, window.find_ancestor(exp.Select)):
        raise SqlRefusedError(
            model.path, line_of(model.sql, spec.args["kind"]),
            "a frame without order by takes rows in the order in which they happen to come",
            "give the window a total order by",
        )  # fmt: skip


def _line_of_column(model: SqlModel, column: exp.Column) -> int:
    return int(column.this.meta.get("line") or line_of(model.sql, column.name))


def _is_ordered(function: exp.Func) -> bool:
    """Whether an order by stands in the call, in its window, or in the named window that it uses."""
    if any(isinstance(argument, exp.Order) and _orders(argument, ()) for argument in function.iter_expressions()):
        return True
    holder = function.parent
    while isinstance(holder, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        holder = holder.parent
    if isinstance(holder, exp.WithinGroup):
        return True
    return isinstance(holder, exp.Window) and _is_ordered_window(holder, holder.find_ancestor(exp.Select))


def _is_ordered_window(window: exp.Window, select: exp.Select | None) -> bool:
    order = window.args.get("order")
    if order or select is None or not window.alias:
        return bool(order) and _orders(order, window.args.get("partition_by") or ())
    named = (other for other in select.args.get("windows") or () if other.name.lower() == window.alias.lower())
    return any(other is not window and _is_ordered_window(other, select) for other in named)


def _orders(order: exp.Order, partition: tuple[exp.Expression, ...] | list[exp.Expression]) -> bool:
    """Whether ``order`` can tell two rows of one partition apart: a constant, or a column of the partition, cannot."""
    same = {part.sql("duckdb").lower() for part in partition}
    return any(
        key.find(exp.Column) is not None and key.this.sql("duckdb").lower() not in same for key in order.expressions
    )

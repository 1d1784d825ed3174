from pathlib import Path

import duckdb
import pytest

from ml_pipeline.io.sql_functions import FLOATING, ORDER_DEPENDENT, VOLATILE
from ml_pipeline_tests.tried_model import RETURNS, SPINE, check, message, refusal

CLOCK = "depends on when or where it runs. Use cutoff_at or score_date, which every gated relation carries."
ORDER = "depends on the order of rows. Rank with row_number() over (… order by a total order) and keep rank 1."
FLOAT = (
    "computes in floating point and depends on the order of rows. "
    "Compute it from sums of whole numbers or decimals: sum(x), sum(x * x), sum(x * y), count(*)."
)
FRAME = (
    "a frame without order by takes rows in the order in which they happen to come. Give the window a total order by."
)
# Aggregates whose answer is the same in whatever order the rows come, or is judged by the type of what they add up.
EXACT = {
    "avg", "bit_and", "bit_or", "bit_xor", "bitstring_agg", "bool_and", "bool_or", "combine_aggr", "count", "count_if", "count_star",
    "countif", "decimal_average", "histogram", "histogram_exact", "mad", "max", "mean", "median", "min", "quantile", "quantile_cont",
    "quantile_disc", "regr_count", "sum", "sum_no_overflow",
}  # fmt: skip


def catalogue(condition: str) -> list[str]:
    """Names of DuckDB's own functions for which ``condition`` is true."""
    with duckdb.connect() as connection:
        query = f"select distinct function_name from duckdb_functions() where {condition} order by all"
        return [name for (name,) in connection.execute(query).fetchall()]


@pytest.mark.parametrize(
    "call",
    ["now()", "NOW()", "current_date", "today()", "current_timestamp", "current_time", "localtimestamp", "random()",
     "uuid()", "gen_random_uuid()", "nextval('s')", "current_setting('threads')", "getvariable('x')", "version()",
     "get_current_timestamp()", "get_current_time()", "main.now()", "age(placed_at)", "placed_at.age()", "setseed(0.5)",
     "txid_current()", '"random"()', '"main"."random"()', "\"getenv\"('HOME')", '"AGE"(placed_at)', "random /* why */ ()"],
)  # fmt: skip
def test_what_depends_on_the_moment_or_the_machine_is_refused_by_its_own_name(shop_project: Path, call: str) -> None:
    caught = refusal(shop_project, f"select\n    order_id,\n    {call} as x\nfrom {SPINE}")
    name = call.replace('"', "").removeprefix("main.").removeprefix("placed_at.").partition("(")[0].split()[0].lower()
    assert str(caught) == f"features/tried.sql, line 3: {name}() {CLOCK}"


@pytest.mark.parametrize("name", ["user", "current_role", "current_schema", "Current_Role"])
def test_what_answers_without_brackets_is_refused_too(shop_project: Path, name: str) -> None:
    caught = refusal(shop_project, f"select order_id\nfrom {SPINE}\nwhere channel = {name}")
    expected = f"{name.lower()} depends on when or where it runs. If it is a column, write it with its relation: relation.{name.lower()}."
    assert str(caught) == f"features/tried.sql, line 3: {expected}"


@pytest.mark.parametrize("written", ["tried.user", '"user"'])
def test_a_column_that_is_called_so_can_be_read(shop_project: Path, written: str) -> None:
    assert check(shop_project, f"select {written} as x from (select channel as user from {SPINE}) as tried")


def test_whatever_duckdb_answers_without_brackets_is_refused(shop_project: Path) -> None:
    found = []
    with duckdb.connect() as connection:
        names = catalogue("function_type in ('scalar', 'macro') and regexp_full_match(function_name, '[a-z_0-9]+')")
        for name in {*names, "localtime", "localtimestamp", "current_time"}:
            try:
                connection.execute(f"select {name} from (select 1 as one)").fetchall()
            except duckdb.Error:
                continue
            found.append(name)
    assert len(found) > 9
    for name in found:
        assert "depends on when or where it runs" in message(shop_project, f"select {name} as x from {SPINE}")


def test_whatever_duckdb_itself_calls_volatile_is_refused(shop_project: Path) -> None:
    names = catalogue("function_type = 'scalar' and stability <> 'CONSISTENT'")
    assert len(names) > 20
    for name in names:
        assert message(shop_project, f"select {name}() as x from {SPINE}") == f"{name}() {CLOCK}"


def test_every_aggregate_of_duckdb_is_known_to_the_checks() -> None:
    unknown = set(catalogue("function_type = 'aggregate'")) - ORDER_DEPENDENT - FLOATING - EXACT
    assert unknown == set()
    assert not VOLATILE & EXACT


@pytest.mark.parametrize(
    "call",
    ["first(order_id)", "last(order_id)", "any_value(order_id)", "arbitrary(order_id)", "mode(order_id)", "list(order_id)",
     "array_agg(order_id)", "string_agg(order_id, ',')", "arg_max(order_id, placed_at)", "arg_min(order_id, placed_at)",
     "max_by(order_id, placed_at)", "min_by(order_id, placed_at)", "arg_max_null(order_id, placed_at)", '"first"(order_id)',
     "arg_min_nulls_last(order_id, placed_at)", "approx_count_distinct(order_id)", "approx_quantile(quantity, 0.5)",
     "reservoir_quantile(quantity, 0.5)", "json_group_array(order_id)", "lttb(quantity, quantity, 3)",
     "list(order_id order by 1)", "list(order_id order by 'x')"],
)  # fmt: skip
def test_aggregates_that_depend_on_the_order_of_rows_are_refused_by_their_own_name(
    shop_project: Path, call: str
) -> None:
    caught = refusal(shop_project, f"select\n    order_id,\n    {call} as x\nfrom {SPINE}")
    name = call.partition("(")[0].strip('"')
    assert str(caught) == f"features/tried.sql, line 3: {name}() {ORDER}"


@pytest.mark.parametrize(
    "over",
    ["(partition by product_code)", "()", "(order by 1)", "(partition by channel order by channel)", "w"],
)
@pytest.mark.parametrize("call", ["row_number()", "lag(quantity)", "lead(quantity)", "first_value(quantity)",
                                  "last_value(quantity)", "nth_value(quantity, 2)", "ntile(4)", "rank()"])  # fmt: skip
def test_a_ranking_window_without_order_is_refused(shop_project: Path, call: str, over: str) -> None:
    text = f"select {call} over {over} from {SPINE} window w as (partition by channel)"
    assert message(shop_project, text) == f"{call.partition('(')[0]}() {ORDER}"


@pytest.mark.parametrize(
    "text",
    [f"select count(*) over (\nrows between unbounded preceding and current row) from {SPINE}",
     f"select sum(quantity) over (partition by channel\nrows 2 preceding) from {SPINE}",
     f"select sum(quantity) over w from {SPINE} window w as (partition by channel\nrows 2 preceding)",
     f"select sum(quantity) over (order by 1\nrows 2 preceding) from {SPINE}"],
)  # fmt: skip
def test_a_frame_of_rows_without_order_is_refused(shop_project: Path, text: str) -> None:
    assert str(refusal(shop_project, text)) == f"features/tried.sql, line 2: {FRAME}"


@pytest.mark.parametrize(
    "over",
    ["(order by order_id rows 2 preceding)", "(partition by channel order by placed_at, order_id)",
     "(rows between unbounded preceding and unbounded following exclude current row)"],
)  # fmt: skip
def test_a_frame_that_is_ordered_or_whole_is_allowed(shop_project: Path, over: str) -> None:
    assert check(shop_project, f"select sum(quantity) over {over} as x from {SPINE}")


@pytest.mark.parametrize(
    "call",
    ["stddev(quantity)", "variance(quantity)", "corr(quantity, quantity)", "regr_slope(quantity, quantity)", "product(quantity)",
     "fsum(quantity)", "kahan_sum(quantity)", "entropy(channel)", "skewness(quantity)", "wavg(quantity, quantity)", "geomean(quantity)"],
)  # fmt: skip
def test_aggregates_that_compute_in_floating_point_are_refused_whatever_they_are_given(
    shop_project: Path, call: str
) -> None:
    caught = refusal(shop_project, f"select\n    {call} as x\nfrom {SPINE}")
    assert str(caught) == f"features/tried.sql, line 2: {call.partition('(')[0]}() {FLOAT}"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("unnest([1, 2])", "unnest is not allowed. Join a gated relation instead."),
        ("generate_subscripts([1, 2], 1)", "generate_subscripts is not allowed. Join a gated relation instead."),
        ("regexp_split_to_table(channel, 'e')", "regexp_split_to_table is not allowed. Join a gated relation instead."),
        ("finalize(channel)", "finalize() hides what it computes. Call the aggregate or write the select itself."),
    ],
)
def test_what_multiplies_rows_or_hides_what_it_computes_is_refused(
    shop_project: Path, call: str, expected: str
) -> None:
    assert message(shop_project, f"select {call} as x from {SPINE}") == expected


@pytest.mark.parametrize("call", ["median(price_eur)", "quantile_cont(price_eur, 0.5)", "mad(price_eur)", "max(price_eur)",
                                  "count(distinct price_eur)", "histogram(channel)", "bool_or(coupon is null)"])  # fmt: skip
def test_aggregates_that_are_the_same_in_any_order_are_allowed(shop_project: Path, call: str) -> None:
    assert check(shop_project, f"select {call} as x from {SPINE} inner join {RETURNS} using (score_date, order_id)")

from pathlib import Path

import duckdb
import pytest

from ml_pipeline.contracts.source import load_sources
from ml_pipeline.io.sql_checks import normalised_sql, refuse_unsafe
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, render

GATED = "read rows only through source('name', lookback_days=n), ref('model') or spine()"
SPINE, RETURNS = "{{ spine() }}", "{{ ref('stg_returns') }}"


def model(project: Path, text: str) -> SqlModel:
    path = project / "features" / "tried.sql"
    path.write_text(text, encoding="utf-8")
    return render(path, folder=project, sources=load_sources(project / "sources.yml"))


def refusal(project: Path, text: str) -> SqlRefusedError:
    with pytest.raises(SqlRefusedError) as caught:
        refuse_unsafe(model(project, text))
    assert str(caught.value).startswith(f"features/tried.sql, line {caught.value.line}: ")
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        f"select * from {SPINE};",
        f"from {SPINE}",
        f"with a as (select * from {SPINE}), b as (select * from a) select * from b",
        f"select sum(quantity) over (partition by channel) from {SPINE}",
        f"select row_number() over (partition by channel order by order_id) from {SPINE}",
        f"select lag(quantity) over w from {SPINE} window w as (partition by channel order by order_id)",
        f"select array_agg(order_id order by order_id) from {SPINE}",
        f"select * from {SPINE} order by order_id limit 3",
        f"select * from {SPINE} asof join {RETURNS} using (score_date, order_id)",
        "select * from (values (date '2024-01-01', 'New Year')) as holidays (day, name)",
        f"select 'now' as word, order_id as random from {SPINE} -- now() and read_parquet('x') are only words here",
    ],
)
def test_plain_selects_are_allowed(shop_project: Path, text: str) -> None:
    tried = model(shop_project, text)
    refuse_unsafe(tried)
    assert normalised_sql(tried)


@pytest.mark.parametrize("table", ["landed__returns", "nights", "raw", "features.spine", "main.spine", "memory.main.spine",
                                   "information_schema.tables", "sqlite_master", "'raw/returns/*.parquet'", '"x.csv"'])  # fmt: skip
@pytest.mark.parametrize(
    "text", ["-- why\nselect *\nfrom {}", "select 1\nfrom {{{{ spine() }}}}\nwhere 1 in (select 1 from {})"]
)
def test_a_table_that_is_not_gated_is_refused_with_its_line(shop_project: Path, text: str, table: str) -> None:
    caught = refusal(shop_project, text.format(table))
    written = table.strip("'\"")
    assert caught.line == 3
    assert f"'{written}' is not a gated relation" in str(caught) and GATED[1:] in str(caught)


@pytest.mark.parametrize(
    "text",
    [
        f"select * from (with landed__returns as (select * from {SPINE}) select * from landed__returns) as x, landed__returns",
        f"select * from landed__returns where 1 in (with landed__returns as (select 1 as one from {SPINE}) select one from landed__returns)",
        f"with recursive landed__returns as (select * from landed__returns union all select * from {SPINE}) select * from landed__returns",
        f"with a as (select * from landed__returns), landed__returns as (select * from {SPINE}) select * from a",
    ],
)
def test_a_name_from_another_scope_does_not_open_the_gate(shop_project: Path, text: str) -> None:
    assert "is not a gated relation" in str(refusal(shop_project, text))


@pytest.mark.parametrize("call", ["read_parquet('x')", "read_csv('x')", "read_text('x')", "glob('*')", "range(3)",
                                  "generate_series(1, 3)", "query('select 1')", "query_table('landed__returns')",
                                  "duckdb_tables()", "sniff_csv('x')", "parquet_scan('x')", "read_json('x')"])  # fmt: skip
def test_table_functions_are_refused(shop_project: Path, call: str) -> None:
    caught = refusal(shop_project, f"select *\nfrom {SPINE},\n{call} as x")
    assert "table functions are not allowed" in str(caught) and GATED[1:] in str(caught)
    assert caught.line == 3


@pytest.mark.parametrize(
    "call",
    ["now()", "NOW()", "current_date", "today()", "current_timestamp", "current_time", "localtimestamp", "random()",
     "uuid()", "gen_random_uuid()", "nextval('s')", "current_setting('threads')", "getvariable('x')", "version()",
     "get_current_timestamp()", "get_current_time()", "main.now()", "age(placed_at)", "setseed(0.5)", "txid_current()"],
)  # fmt: skip
def test_what_depends_on_the_moment_or_the_machine_is_refused_by_its_own_name(shop_project: Path, call: str) -> None:
    caught = refusal(shop_project, f"select\n    order_id,\n    {call} as x\nfrom {SPINE}")
    name = call.split("(", maxsplit=1)[0].removeprefix("main.").lower()
    assert f"{name}() depends on when or where it runs. Use cutoff_at or score_date" in str(caught)
    assert caught.line == 3


@pytest.mark.parametrize(
    "call",
    ["first(order_id)", "last(order_id)", "any_value(order_id)", "arbitrary(order_id)", "mode(order_id)", "list(order_id)",
     "array_agg(order_id)", "string_agg(order_id, ',')", "arg_max(order_id, placed_at)", "arg_min(order_id, placed_at)",
     "max_by(order_id, placed_at)", "min_by(order_id, placed_at)", "approx_count_distinct(order_id)", "approx_quantile(quantity, 0.5)"],
)  # fmt: skip
def test_aggregates_that_depend_on_the_order_of_rows_are_refused_by_their_own_name(
    shop_project: Path, call: str
) -> None:
    caught = refusal(shop_project, f"select\n    order_id,\n    {call} as x\nfrom {SPINE}")
    assert f"{call.split('(', maxsplit=1)[0]}() depends on the order of rows. Rank with row_number() over" in str(
        caught
    )
    assert caught.line == 3


def test_whatever_duckdb_itself_calls_volatile_is_refused(shop_project: Path) -> None:
    query = "select distinct function_name from duckdb_functions() where function_type = 'scalar' and stability <> 'CONSISTENT'"
    with duckdb.connect() as connection:
        names = sorted(name for (name,) in connection.execute(query).fetchall())
    assert len(names) > 20
    for name in names:
        assert "depends on when or where it runs" in str(refusal(shop_project, f"select {name}() as x from {SPINE}")), (
            name
        )


@pytest.mark.parametrize(
    "call", ["sum(quantity / 3)", "avg(quantity::double)", "sum(2 * (price_eur + cast(quantity as float)))"]
)
def test_a_sum_that_is_seen_to_be_floating_is_refused(shop_project: Path, call: str) -> None:
    assert "of floating-point numbers" in str(refusal(shop_project, f"select {call} as x from {SPINE}"))


@pytest.mark.parametrize(
    "call", ["sum(quantity) / count(*)", "sum(cast(quantity / 3 as bigint))", "avg((quantity / 3 > 1)::int)"]
)
def test_a_sum_of_whole_numbers_is_allowed(shop_project: Path, call: str) -> None:
    refuse_unsafe(model(shop_project, f"select {call} as x from {SPINE}"))


@pytest.mark.parametrize("call", ["row_number()", "lag(quantity)", "lead(quantity)", "first_value(quantity)",
                                  "last_value(quantity)", "nth_value(quantity, 2)", "ntile(4)"])  # fmt: skip
def test_a_ranking_window_without_order_is_refused(shop_project: Path, call: str) -> None:
    assert "order" in str(refusal(shop_project, f"select {call} over (partition by product_code) from {SPINE}"))


@pytest.mark.parametrize(
    "text",
    [
        f"select * from {SPINE}\nlimit 3",
        f"select * from (select * from {SPINE} limit 3) as x order by order_id",
        f"select * from {SPINE} fetch first 3 rows only",
        f"select * from {SPINE} union all select * from {SPINE} limit 3",
        f"(select * from {SPINE}) limit 3",
        f"select * from {SPINE} offset 3",
        f"select distinct on (product_code) * from {SPINE}",
    ],
)
def test_rows_kept_by_chance_are_refused(shop_project: Path, text: str) -> None:
    assert "without order by keeps arbitrary rows. Add a total order by" in str(refusal(shop_project, text))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (f"select * from {SPINE}, unnest([1, 2]) as x", "unnest"),
        (f"select unnest([1, 2]) as x from {SPINE}", "unnest"),
        (f"select * from {SPINE} as a, lateral (select a.order_id)", "lateral"),
        (f"select * from {SPINE} tablesample 10%", "tablesample"),
        (f"select * from {SPINE} using sample 10", "tablesample"),
        (f"select * from {SPINE} positional join {RETURNS}", "positional"),
        (f"select rowid from {SPINE}", "rowid"),
    ],
)
def test_what_multiplies_samples_or_pairs_rows_by_position_is_refused(shop_project: Path, text: str, word: str) -> None:
    assert word in str(refusal(shop_project, text)).lower()


@pytest.mark.parametrize(
    "text",
    ["select 1; select 2", "insert into spine select 1", "create table x as select 1", "drop table spine", "attach 'x'",
     "copy (select 1) to 'x'", "set threads = 1", "pragma database_list", "delete from spine", "install httpfs", "", "-- nothing"],
)  # fmt: skip
def test_a_model_is_one_select_and_nothing_else(shop_project: Path, text: str) -> None:
    message = str(refusal(shop_project, text))
    assert "a model is one select. Remove every other statement" in message or "cannot be parsed" in message


def test_a_syntax_error_is_refused_with_its_line(shop_project: Path) -> None:
    caught = refusal(shop_project, f"select order_id\nfrom {SPINE}\nwhere (quantity > 3 x")
    assert (caught.line, "cannot be parsed" in str(caught)) == (3, True)


def test_comments_layout_and_letter_case_do_not_change_the_normalised_sql(shop_project: Path) -> None:
    plain = normalised_sql(model(shop_project, f"select order_id, count(*) as n from {SPINE} group by order_id"))
    written = f"-- why\nSELECT\n  order_id, /* all */\n  COUNT(*) AS n\nFROM {SPINE}\nGROUP BY order_id"
    assert normalised_sql(model(shop_project, written)) == plain
    assert (
        normalised_sql(model(shop_project, f"select order_id, count(1) as n from {SPINE} group by order_id")) != plain
    )

from pathlib import Path

import pytest

from ml_pipeline.io.sql_checks import normalised_sql
from ml_pipeline_tests.tried_model import GATED, RETURNS, SPINE, check, compiled, message, refusal


@pytest.mark.parametrize(
    "text",
    [
        f"select * from {SPINE};",
        f"from {SPINE}",
        f"(select * from {SPINE} order by order_id limit 3)",
        f"with a as (select * from {SPINE}), b as (select * from a) select * from b",
        f"select * from {SPINE} union select * from {SPINE}",
        f"select sum(quantity) over (partition by channel) from {SPINE}",
        f"select row_number() over (partition by channel order by order_id) from {SPINE}",
        f"select lag(quantity) over w from {SPINE} window w as (partition by channel order by order_id)",
        f"select array_agg(order_id order by order_id) from {SPINE}",
        f"select * from {SPINE} order by order_id limit 3",
        f"select * from {SPINE} asof join {RETURNS} using (score_date, order_id)",
        f"select count(*), count(tried.*) from {SPINE} as tried",
        f"select * exclude (coupon) replace (quantity * 2 as quantity) from {SPINE}",
        f"select if(quantity > 1, 1, 0), [x for x in [1, 2] if x > 1] from {SPINE}",
        "select * from (values (date '2024-01-01', 'New Year')) as holidays (day, name)",
        f"select 'now' as word, order_id as random from {SPINE} -- now() and read_parquet('x') are only words here",
    ],
)
def test_plain_selects_are_allowed(shop_project: Path, text: str) -> None:
    assert normalised_sql(check(shop_project, text))


@pytest.mark.parametrize("table", ["landed__returns", "nights", "raw", "features.spine", "main.spine", "memory.main.spine",
                                   "gate.landed__returns", "gate.nights", "information_schema.tables", "sqlite_master",
                                   "'raw/returns/*.parquet'", '"x.csv"', '"gate.landed__returns"'])  # fmt: skip
@pytest.mark.parametrize(
    "text",
    ["-- why\nselect *\nfrom {}", "select 1\nfrom {{{{ spine() }}}}\nwhere 1 in (select 1 from {})", "select 1,\n\nexists(from {})",
     "with a as (\n\nfrom {}) select * from a", "select array(\n\nselect 1 from {})"],
)  # fmt: skip
def test_a_table_that_is_not_gated_is_refused_with_its_line(shop_project: Path, text: str, table: str) -> None:
    caught = refusal(shop_project, text.format(table))
    written = table.strip("'\"")
    assert str(caught) == f"features/tried.sql, line 3: '{written}' is not a gated relation. {GATED}"


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
    assert message(shop_project, text) == f"'landed__returns' is not a gated relation. {GATED}"


@pytest.mark.parametrize("call", ["read_parquet('x')", "read_csv('x')", "read_text('x')", "glob('*')", "range(3)",
                                  "generate_series(1, 3)", "query('select 1')", "query_table('landed__returns')",
                                  "duckdb_tables()", "sniff_csv('x')", "parquet_scan('x')", "read_json('x')"])  # fmt: skip
def test_table_functions_are_refused(shop_project: Path, call: str) -> None:
    caught = refusal(shop_project, f"select *\nfrom {SPINE},\n{call} as x")
    name = call.partition("(")[0]
    assert str(caught) == f"features/tried.sql, line 3: {name}(): table functions are not allowed. {GATED}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"select * from {SPINE}\nlimit 3", "limit"),
        (f"select * from (select * from {SPINE}\nlimit 3) as x order by order_id", "limit"),
        (f"select * from {SPINE}\nfetch first 3 rows only", "limit"),
        (f"select * from {SPINE} union all select * from {SPINE}\nlimit 3", "limit"),
        (f"(select * from {SPINE})\nlimit 3", "limit"),
        (f"select * from {SPINE}\nlimit 50%", "limit"),
        (f"select * from {SPINE}\noffset 3", "offset"),
        (f"select\ndistinct on (product_code) * from {SPINE}", "distinct on"),
    ],
)
def test_rows_kept_by_chance_are_refused(shop_project: Path, text: str, found: str) -> None:
    expected = f"features/tried.sql, line 2: {found} without order by keeps arbitrary rows. Add a total order by."
    assert str(refusal(shop_project, text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"select * from {SPINE}, unnest([1, 2]) as x", "unnest is not allowed. Join a gated relation instead."),
        (f"select * from {SPINE} as a, lateral (select a.order_id)", "lateral is not allowed. Join a gated relation instead."),
        (f"select * from {SPINE} tablesample 10%", "tablesample is not allowed. Join a gated relation instead."),
        (f"select * from {SPINE} using sample 10", "tablesample is not allowed. Join a gated relation instead."),
        (f"with x as (insert into {SPINE} values (1) returning *) select * from x", "insert is not allowed. A model only selects."),
        (f"with x as (update {SPINE} set quantity = 1 returning *) select * from x", "insert is not allowed. A model only selects."),
        (f"with x as (delete from {SPINE} returning *) select * from x", "insert is not allowed. A model only selects."),
        (f"select * from (summarize {SPINE})", "summarize is not allowed. Select what you need."),
        (f"select * from (describe {SPINE})", "describe is not allowed. Select what you need."),
        (f"select * from (pivot {SPINE} on channel using count(*))",
         "pivot is not allowed. Write the columns with filter (where …), so that they cannot depend on the rows."),
        (f"select * from {SPINE} pivot (count(*) for channel in ('web'))",
         "pivot is not allowed. Write the columns with filter (where …), so that they cannot depend on the rows."),
        (f"select * from (unpivot {SPINE} on quantity into name n value v)",
         "pivot is not allowed. Write the columns with filter (where …), so that they cannot depend on the rows."),
        (f"select max(columns('price.*')) from {SPINE}", "columns is not allowed. Name the columns."),
        (f"select #1 from {SPINE}", "# is not allowed. Name the column."),
        (f"select ? from {SPINE}", "? is not allowed. Nobody gives a model parameters."),
        (f"select $night from {SPINE}", "? is not allowed. Nobody gives a model parameters."),
        (f"select * from {SPINE} positional join {RETURNS}",
         "positional pairs rows by chance. Join on the entity key and score_date."),
        (f"select rowid from {SPINE}", "rowid tells where a row lies, which is chance. Use the entity key."),
        (f'select "RowId" from {SPINE}', "rowid tells where a row lies, which is chance. Use the entity key."),
        (f"with recursive a as (select 1 as n union all select n + 1 from {SPINE}) select * from a",
         "recursive is not allowed: its first step could read past the gate. Write plain selects."),
        (f"select price_eur.sum() from {SPINE}",
         "a function after a dot is not allowed. Write name(value), without a schema before it."),
        (f"select main.upper(channel) from {SPINE}",
         "a function after a dot is not allowed. Write name(value), without a schema before it."),
        (f"select * like 'price%' from {SPINE}", "* inside of an expression is not allowed. Name the columns."),
        (f"select struct_pack(tried.*) from {SPINE} as tried", "* inside of an expression is not allowed. Name the columns."),
    ],
)  # fmt: skip
def test_what_a_plain_select_does_not_have_is_refused(shop_project: Path, text: str, expected: str) -> None:
    assert message(shop_project, text) == expected


@pytest.mark.parametrize(
    "text",
    ["select 1; select 2", "insert into spine select 1", "create table x as select 1", "drop table spine", "attach 'x'",
     "copy (select 1) to 'x'", "set threads = 1", "pragma database_list", "delete from spine", "", "-- nothing", "values (1)",
     "summarize spine", "describe spine", "show tables", "pivot spine on a using count(*)", "call pragma_version()",
     "explain select 1"],
)  # fmt: skip
def test_a_model_is_one_select_and_nothing_else(shop_project: Path, text: str) -> None:
    expected = "features/tried.sql, line 1: a model is one select. Remove every other statement."
    assert str(refusal(shop_project, text)) == expected


@pytest.mark.parametrize(
    "text", ["select order_id\nfrom {spine}\nwhere (quantity > 3 x", "select 1\n\nas 'x", "install\n\n'httpfs"]
)
def test_a_syntax_error_is_refused_with_its_line(shop_project: Path, text: str) -> None:
    caught = refusal(shop_project, text.format(spine=SPINE))
    assert "cannot be parsed: " in str(caught) and str(caught).endswith(". Correct the SQL.")


def test_a_syntax_error_is_where_the_parser_saw_it(shop_project: Path) -> None:
    assert refusal(shop_project, f"select order_id\nfrom {SPINE}\nwhere (quantity > 3 x").line == 3


def test_comments_layout_and_letter_case_do_not_change_the_normalised_sql(shop_project: Path) -> None:
    plain = normalised_sql(compiled(shop_project, f"select order_id, count(*) as n from {SPINE} group by order_id"))
    written = f"-- why\nSELECT\n  order_id, /* all */\n  COUNT(*) AS n\nFROM {SPINE}\nGROUP BY order_id"
    assert normalised_sql(compiled(shop_project, written)) == plain
    other = compiled(shop_project, f"select order_id, count(1) as n from {SPINE} group by order_id")
    assert normalised_sql(other) != plain

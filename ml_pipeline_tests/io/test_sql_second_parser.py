from pathlib import Path

import duckdb
import pytest
import sqlglot

from ml_pipeline.io.sql_second_parser import refuse_other_reading
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline_tests.tried_model import SPINE, compiled, refusal


def test_a_list_of_all_tables_does_not_pass_for_a_table_called_show(shop_project: Path) -> None:
    caught = refusal(shop_project, 'with "show" as (select 1 as one)\nselect *\nfrom (show tables)')
    assert str(caught).endswith(": DuckDB reads a show ref here. A model is one plain select.")


def test_what_only_duckdb_cannot_parse_is_refused_with_its_line(shop_project: Path) -> None:
    caught = refusal(shop_project, f"select *\nfrom {SPINE}\nfor update")
    assert (
        str(caught) == 'features/tried.sql, line 3: cannot be parsed: syntax error at or near "for". Correct the SQL.'
    )


@pytest.mark.parametrize(
    "other", ["select 1 as one", "select * from spine, spine as again", "select * from stg_returns"]
)
def test_a_text_that_the_two_parsers_read_differently_is_refused(shop_project: Path, other: str) -> None:
    """As if sqlglot had made the tree of ``other`` out of the model's text."""
    tree = sqlglot.parse_one(other, dialect="duckdb")
    with duckdb.connect() as connection, pytest.raises(SqlRefusedError) as caught:
        refuse_other_reading(connection, compiled(shop_project, f"select * from {SPINE}"), tree)
    assert "DuckDB reads ['spine'] in it, the checks read [" in str(caught.value)
    assert str(caught.value).endswith("]. Write it so plainly that both read the same.")


@pytest.mark.parametrize(
    "text",
    ["select 'it''s' as a, e'\\'' as b, $$'$$ as c, $x$ from gate.nights $x$ as d from {spine}",
     "select 1 as a /* /* from gate.nights */ */ from {spine} -- , gate.nights",
     "with a as materialized (from {spine}) select (select max(quantity) from a) as b, * from a semi join a as c using (order_id)",
     "select 'ü' as a from {spine} union all by name (select 'x' as a from {spine}) order by a limit 3"],
)  # fmt: skip
def test_quotes_comments_and_nested_queries_are_read_alike(shop_project: Path, text: str) -> None:
    tried = compiled(shop_project, text.format(spine=SPINE))
    with duckdb.connect() as connection:
        refuse_other_reading(connection, tried, sqlglot.parse_one(tried.sql, dialect="duckdb"))
    assert "gate" not in tried.relations

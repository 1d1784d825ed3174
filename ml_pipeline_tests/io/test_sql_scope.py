import pytest
import sqlglot
from sqlglot import exp

from ml_pipeline.io.sql_scope import visible_ctes, visible_definitions


def scope_of_target(sql: str) -> list[str]:
    """Names that the table called target can see, outermost first."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    (target,) = (table for table in query.find_all(exp.Table) if table.name == "target")
    found = [definition.alias.lower() for definition in visible_definitions(target)]
    assert visible_ctes(target) == set(found)
    return found


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("from target", []),
        ("with A as (select 1), b as (select 2) from target", ["a", "b"]),
        ("with a as (from target), b as (select 2) from b", []),
        ("with a as (select 1), b as (from target), c as (select 3) from c", ["a"]),
        ("with a as (select 1) select * from (with b as (select 2) from target) as x", ["a", "b"]),
        ("select * from (with b as (select 2) from b) as x, target", []),
        ("with a as (with inner_ as (select 1) from target), b as (select 2) from b", ["inner_"]),
        ("with a as (select 1) select 1 from a where 1 in (select 1 from target)", ["a"]),
        ("(with a as (select 1) from a) union all from target", []),
        ("with a as (select 1) select 1 union all from target", ["a"]),
    ],
)
def test_a_name_is_seen_below_its_with_and_after_its_own_definition(sql: str, expected: list[str]) -> None:
    assert scope_of_target(sql) == expected

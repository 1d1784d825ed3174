from typing import Any

import duckdb
import pytest

from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.io.model_test_sql import ModelTestSql, ModelTestWriter

ROWS = """create table rates as select * from (values
    (date '2024-04-01', 'a', 1, 0.5::double, true), (date '2024-04-01', 'b', null, 'nan', false),
    (date '2024-04-01', 'b', 3, '-infinity', null), (date '2024-04-02', 'b', 3, 'infinity', true)
) as rows_ (score_date, code, number, share, "end")"""


def written(column: dict[str, Any] | None = None, row: dict[str, Any] | None = None) -> ModelTestSql:
    """The one test of ``column`` or of the whole rows."""
    columns = [{"description": "Told."} | column] if column else []
    contract = ModelContract.model_validate(
        {"name": "rates", "description": "Rates.", "grain": "code", "columns": columns, "tests": [row] if row else []}
    )
    writer = ModelTestWriter(
        contract, ["score_date", "code", "number", "share", "end"], {"rates": ["score_date"]}, ["code"]
    )
    (test,) = writer.tests()
    return test


@pytest.mark.parametrize(
    ("column", "row", "broken", "shown"),
    [
        ({"name": "number", "tests": ["not_null"]}, None, 1, ("score_date", "code", "number")),
        ({"name": "number", "tests": ["unique"]}, None, 0, ("score_date", "number", "rows")),
        ({"name": "code", "tests": ["unique"]}, None, 2, ("score_date", "code", "rows")),
        ({"name": "number", "tests": [{"accepted_range": {"minimum": 1, "maximum": 2.5}}]}, None, 2, None),
        ({"name": "share", "tests": [{"accepted_range": {"minimum": 0}}]}, None, 2, None),
        ({"name": "share", "tests": [{"accepted_range": {"maximum": 1e300}}]}, None, 2, None),
        ({"name": "share", "tests": [{"accepted_range": {"minimum": -1, "maximum": 1}}]}, None, 3, None),
        ({"name": "end", "tests": [{"accepted_range": {"minimum": 1}}]}, None, 1, None),
        ({"name": "code", "tests": [{"accepted_values": ["a", "it's"]}]}, None, 3, ("score_date", "code")),
        ({"name": "number", "tests": [{"accepted_values": [1, 2.5]}]}, None, 2, None),
        ({"name": "code", "tests": [{"relationships": {"to": "rates", "column": "code"}}]}, None, 0, None),
        (None, {"unique": ["code"]}, 2, ("score_date", "code", "rows")),
        (None, {"unique": ["score_date", "code", "number"]}, 0, ("score_date", "code", "number", "rows")),
        (None, {"expression": "number < 3"}, 2, ("score_date", "code", "number")),
        (None, {"expression": 'rates.number < 3 or not "end" -- why'}, 1, ("score_date", "code", "number", "end")),
    ],
)  # fmt: skip
def test_a_test_counts_the_rows_that_break_it_and_selects_them(
    column: dict[str, Any] | None, row: dict[str, Any] | None, broken: int, shown: tuple[str, ...] | None
) -> None:
    test = written(column, row)
    connection = duckdb.connect()
    connection.execute(ROWS)
    assert connection.execute(f"select count(*), {test.broken} from rates").fetchall() == [(4, broken)]
    found = connection.execute(test.examples).fetchall()
    # Rows that are alike are one example, with their number.
    is_counted = test.shown[-1] == "rows"
    assert sum(row[-1] for row in found) == broken if is_counted else len(found) == broken
    assert shown is None or test.shown == shown
    assert test.column == (column["name"] if column else "")


def test_tests_of_columns_come_in_their_order_and_then_those_of_rows() -> None:
    contract = ModelContract.model_validate(
        {
            "name": "rates", "description": "Rates.", "grain": "code",
            "tests": [{"unique": ["code", "number"], "name": "grain"}, {"expression": "number > 0"}],
            "columns": [
                {"name": "code", "description": "Code.", "tests": ["not_null", "unique", {"accepted_values": ["a", 1]}]},
                {"name": "number", "description": "Number.", "tests": [
                    {"accepted_range": {"minimum": 0}}, {"accepted_range": {"maximum": 1}},
                    {"accepted_range": {"minimum": 0, "maximum": 1.5}}, {"relationships": {"to": "codes", "column": "id"}},
                ]},
            ],
        }
    )  # fmt: skip
    tests = ModelTestWriter(contract, ["code", "number"], {"codes": ["id"]}).tests()
    assert [test.says for test in tests] == [
        "not_null of code", "unique of code", "accepted_values of code ('a', 1)", "accepted_range of number (at least 0)",
        "accepted_range of number (at most 1)", "accepted_range of number (0 to 1.5)", "relationships of number (to codes.id)",
        "grain (unique [code, number])", "expression number > 0",
    ]  # fmt: skip

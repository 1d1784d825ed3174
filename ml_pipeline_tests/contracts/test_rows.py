from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.rows import SourceShapeError, broken_rules, require_shape
from ml_pipeline.contracts.source import SourceContract

CONTRACT = SourceContract.model_validate(
    {
        "name": "orders", "description": "Orders.", "owner": "team:shop", "key": ["code"], "known_when": "at once",
        "columns": [
            {"name": "code", "type": "string", "description": "Code.", "pattern": "[A-Z]{2}[0-9]{3}"},
            {"name": "channel", "type": "string", "description": "Channel.", "accepted_values": ["web", "app"]},
            {"name": "quantity", "type": "integer", "description": "Pieces.", "minimum": 1, "maximum": 9, "nullable": True},
            {"name": "price", "type": "number", "description": "Price.", "minimum": 0, "nullable": True},
            {"name": "is_gift", "type": "boolean", "description": "Gift.", "nullable": True},
            {"name": "day", "type": "date", "description": "Day.", "nullable": True},
            {"name": "known_at", "type": "timestamp", "description": "Clock."},
        ],
    }
)  # fmt: skip
GOOD: dict[str, Any] = {
    "code": "AB123", "channel": "web", "quantity": 3, "price": 1.5, "is_gift": True, "day": date(2024, 1, 1),
    "known_at": datetime(2024, 1, 1, tzinfo=UTC),
}  # fmt: skip


def rows(*changes: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([GOOD | change for change in changes], schema=CONTRACT.arrow_schema())


@pytest.mark.parametrize(
    ("change", "rule", "value"),
    [
        ({"code": "AB1234"}, r"matches [A-Z]{2}[0-9]{3}", "AB1234"),
        ({"channel": "fax"}, "one of ['web', 'app']", "fax"),
        ({"channel": ""}, "one of ['web', 'app']", ""),
        ({"channel": None}, "not_nullable", None),
        ({"quantity": 0}, "at least 1", "0"),
        ({"quantity": 10}, "at most 9", "10"),
        ({"price": -0.01}, "at least 0", "-0.01"),
        ({"price": float("inf")}, "finite", "inf"),
        ({"known_at": None}, "not_nullable", None),
    ],
)
def test_a_broken_cell_is_named_with_row_column_rule_and_value(change: dict[str, Any], rule: str, value: str) -> None:
    (broken,) = broken_rules(rows({}, change, {}), CONTRACT)
    assert (broken.row, broken.column, broken.rule) == (1, next(iter(change)), rule)
    assert value is None or broken.value == value


@pytest.mark.parametrize("column", ["quantity", "price", "is_gift", "day"])
def test_missing_values_are_allowed_where_the_contract_says_so(column: str) -> None:
    assert broken_rules(rows({column: None}, {}), CONTRACT) == ()


def test_nan_counts_as_missing() -> None:
    assert broken_rules(rows({"price": float("nan")}), CONTRACT) == ()


def test_all_that_is_wrong_is_told_at_once() -> None:
    broken = broken_rules(rows({"quantity": 0, "channel": "fax"}, {"price": -1.0}), CONTRACT)
    assert [(rule.row, rule.column) for rule in broken] == [(0, "channel"), (0, "quantity"), (1, "price")]


def test_no_rows_break_no_rule() -> None:
    assert broken_rules(CONTRACT.arrow_schema().empty_table(), CONTRACT) == ()


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=8))
def test_whole_numbers_are_compared_exactly_next_to_missing_ones(values: list[int | None]) -> None:
    broken = broken_rules(rows(*({"quantity": value} for value in values)), CONTRACT)
    assert {rule.row for rule in broken} == {
        n for n, value in enumerate(values) if value is not None and not 1 <= value <= 9
    }


def test_columns_come_back_in_contract_order() -> None:
    shuffled = rows({}).select(sorted(CONTRACT.column_names))
    assert require_shape(shuffled, CONTRACT).schema.names == list(CONTRACT.column_names)


@pytest.mark.parametrize(
    ("delivered", "message"),
    [
        (rows({}).drop(["price"]), r"missing columns \['price'\]"),
        (rows({}).append_column("colour", pa.array(["red"])), r"unknown columns \['colour'\]"),
        (rows({}).set_column(2, "quantity", pa.array([9.99])), "quantity is double, the contract says int64"),
        (rows({}).set_column(0, "code", pa.array([123])), "code is int64, the contract says string"),
        (rows({}).set_column(6, "known_at", pa.array([datetime(2024, 1, 1)])), "known_at is timestamp"),
    ],
)
def test_other_columns_or_types_are_refused_not_cast(delivered: pa.Table, message: str) -> None:
    with pytest.raises(SourceShapeError, match=message) as refusal:
        require_shape(delivered, CONTRACT)
    assert "source orders" in str(refusal.value) and "sources.yml" in str(refusal.value)


def test_a_check_that_cannot_be_applied_is_a_fault_of_the_contract() -> None:
    columns = [*CONTRACT.columns[:-1], CONTRACT.columns[-1].model_copy(update={"minimum": 1.0})]
    with pytest.raises(SourceShapeError, match="source orders.*cannot be applied"):
        broken_rules(rows({}), CONTRACT.model_copy(update={"columns": tuple(columns)}))

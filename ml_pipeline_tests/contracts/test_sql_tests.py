from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ml_pipeline.contracts.sql_tests import (
    AcceptedRange,
    AcceptedValues,
    ColumnTest,
    ModelTest,
    Range,
    Relationship,
    Relationships,
    TrueExpression,
    UniqueTogether,
)

OF_COLUMN: TypeAdapter[Any] = TypeAdapter(ColumnTest)
OF_MODEL: TypeAdapter[Any] = TypeAdapter(ModelTest)


@pytest.mark.parametrize(
    ("adapter", "written", "expected"),
    [
        (OF_COLUMN, "unique", "unique"),
        (OF_COLUMN, "not_null", "not_null"),
        (OF_COLUMN, {"accepted_range": {"minimum": 0}}, AcceptedRange(accepted_range=Range(minimum=0))),
        (OF_COLUMN, {"accepted_range": {"maximum": 0.5}}, AcceptedRange(accepted_range=Range(maximum=0.5))),
        (OF_COLUMN, {"accepted_range": {"minimum": 2, "maximum": 2}}, AcceptedRange(accepted_range=Range(minimum=2, maximum=2))),
        (OF_COLUMN, {"accepted_values": ["NO", 1, 1.5]}, AcceptedValues(accepted_values=("NO", 1, 1.5))),
        (OF_COLUMN, {"relationships": {"to": "spine", "column": "order_id"}},
         Relationships(relationships=Relationship(to="spine", column="order_id"))),
        (OF_MODEL, {"unique": ["a", "b"]}, UniqueTogether(unique=("a", "b"))),
        (OF_MODEL, {"unique": ["a"], "name": "grain"}, UniqueTogether(unique=("a",), name="grain")),
        (OF_MODEL, {"expression": " a > b\n", "name": "order"}, TrueExpression(expression="a > b", name="order")),
    ],
)  # fmt: skip
def test_each_test_is_read_and_survives_being_kept_as_json(adapter: Any, written: Any, expected: Any) -> None:
    test = adapter.validate_python(written)
    assert test == expected
    assert adapter.validate_python(adapter.dump_python(test, mode="json")) == test


def test_whole_numbers_stay_whole_so_that_a_message_says_what_was_written() -> None:
    assert repr(Range(minimum=0, maximum=1.5)) == "Range(minimum=0, maximum=1.5)"


NO_COLUMN_TEST = "no such test; write unique, not_null, {accepted_range: {minimum: .., maximum: ..}}"
NO_MODEL_TEST = "no such test; write {unique: [<column>, ..]} or {expression:"


@pytest.mark.parametrize(
    ("adapter", "written", "message"),
    [
        (OF_COLUMN, "uniq", NO_COLUMN_TEST),
        (OF_COLUMN, None, NO_COLUMN_TEST),
        (OF_COLUMN, {}, NO_COLUMN_TEST),
        (OF_COLUMN, {"not_null": {"severity": "warn"}}, NO_COLUMN_TEST),
        (OF_COLUMN, {"expression": "a > b"}, NO_COLUMN_TEST),
        (OF_COLUMN, {"accepted_values": ["a"], "accepted_range": {"minimum": 0}}, NO_COLUMN_TEST),
        (OF_COLUMN, {"accepted_range": {}}, "a range needs a minimum, a maximum or both"),
        (OF_COLUMN, {"accepted_range": {"minimum": 2, "maximum": 1}}, "minimum 2 is above maximum 1, so no value would pass"),
        (OF_COLUMN, {"accepted_range": {"min_value": 1}}, "Extra inputs are not permitted"),
        (OF_COLUMN, {"accepted_range": {"minimum": "0"}}, "'0' is no number"),
        (OF_COLUMN, {"accepted_range": {"minimum": True}}, "True is no number"),
        (OF_COLUMN, {"accepted_range": {"maximum": float("inf")}}, "inf is no number"),
        (OF_COLUMN, {"accepted_values": []}, "must name at least one"),
        (OF_COLUMN, {"accepted_values": [False]}, "YAML reads this as the bool False, which is neither text nor a number"),
        (OF_COLUMN, {"accepted_values": [None]}, "YAML reads this as the NoneType None"),
        (OF_COLUMN, {"relationships": {"to": "spine", "field": "order_id"}}, "Field required"),
        (OF_COLUMN, {"relationships": {"to": "ref('spine')", "column": "order_id"}}, "should match pattern"),
        (OF_MODEL, "not_null", NO_MODEL_TEST),
        (OF_MODEL, {"name": "grain"}, NO_MODEL_TEST),
        (OF_MODEL, {"unique": ["a"], "expression": "a > b"}, NO_MODEL_TEST),
        (OF_MODEL, {"unique": []}, "must name at least one"),
        (OF_MODEL, {"unique": ['a"; drop']}, "should match pattern"),
        (OF_MODEL, {"expression": " "}, "at least 1 character"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(adapter: Any, written: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(written)
    assert message in str(caught.value)

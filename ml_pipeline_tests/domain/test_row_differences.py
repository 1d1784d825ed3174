import pyarrow as pa
import pytest

from ml_pipeline.domain.row_differences import differences_in_words

ROWS = pa.table({
    "order_id": ["a", "b", "c"], "rate": [0.5, None, float("nan")], "code": ["x", "y", None], "size": [1.0, 2.0, 3.0],
    "depth": [1.0, 1.0, 1.0],
})  # fmt: skip


def with_column(name: str, values: list[object], kind: pa.DataType | None = None) -> pa.Table:
    return ROWS.set_column(ROWS.schema.get_field_index(name), name, pa.array(values, kind))


def test_equal_rows_differ_nowhere() -> None:
    assert differences_in_words(ROWS, ROWS.slice(0), ["order_id"]) == ""


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("size", [1.0, 7.0, 8.0], "size in 2 of 3 rows (b: 2.0 is 7.0)"),
        ("rate", [0.5, 0.1, float("nan")], "rate in 1 of 3 rows (b: None is 0.1)"),
        ("rate", [0.5, None, None], "rate in 1 of 3 rows (c: nan is None)"),
        ("code", ["x", "z", None], "code in 1 of 3 rows (b: 'y' is 'z')"),
    ],
)
def test_a_column_is_named_with_its_rows_and_the_first_of_them(name: str, values: list[object], told: str) -> None:
    assert differences_in_words(ROWS, with_column(name, values), ["order_id"]) == told


def test_another_type_is_another_value() -> None:
    assert differences_in_words(ROWS, with_column("size", [1, 2, 3]), ["order_id"]).startswith("size in 3 of 3 rows")


def test_three_columns_are_named_and_the_others_counted() -> None:
    other = pa.table({
        "order_id": ["a", "b", "c"], "rate": [0.0] * 3, "code": ["-"] * 3, "size": [0.0] * 3, "depth": [0.0] * 3
    })  # fmt: skip
    told = differences_in_words(ROWS, other, ["order_id"])
    assert [part.split(" in ")[0] for part in told.split("; ")] == ["rate", "code", "size", "and 1 more columns"]


def test_other_rows_and_other_columns_are_told() -> None:
    assert differences_in_words(ROWS, ROWS.slice(1), ["order_id"]) == "other rows: 3 expected, 2 found"
    assert "other rows" in differences_in_words(ROWS, with_column("order_id", ["a", "b", "d"]), ["order_id"])
    told = differences_in_words(ROWS, ROWS.drop_columns(["code"]).append_column("hue", ROWS["code"]), ["order_id"])
    assert told == "columns missing ['code'], added ['hue']"

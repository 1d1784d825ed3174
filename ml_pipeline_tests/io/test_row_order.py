import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.io.row_order import in_order

NAMES = ("night", "key")
ROWS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", "c", None])), max_size=8)


def table(rows: list[tuple[int, str | None]]) -> pa.Table:
    half = len(rows) // 2
    return pa.table({
        "night": pa.chunked_array([[night for night, _ in rows]], pa.int64()),
        "key": pa.chunked_array([[key for _, key in rows[:half]], [key for _, key in rows[half:]]], pa.string()),
        "place": pa.array(range(len(rows)), pa.int64()),
    })  # fmt: skip


@given(ROWS)
def test_rows_are_in_order_and_equal_ones_stay_as_they_stood(rows: list[tuple[int, str | None]]) -> None:
    found = in_order(table(rows), NAMES).to_pylist()
    expected = sorted(table(rows).to_pylist(), key=lambda row: (row["night"], row["key"] is None, row["key"] or ""))
    assert found == expected


def test_rows_in_order_are_not_moved() -> None:
    rows = table([(0, "a"), (0, "b"), (1, "a"), (1, "a")])
    assert in_order(rows, NAMES) is rows


def test_numbers_that_may_be_nan_are_sorted() -> None:
    rows = pa.table({"value": [2.0, float("nan"), 1.0]})
    assert in_order(rows, ["value"]).column("value").to_pylist()[:2] == [1.0, 2.0]

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.io.content_hash import content_hash

TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "string": (pa.string(), st.text(st.characters(codec="utf-8"), max_size=4)),
    "integer": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "number": (pa.float64(), st.floats(allow_nan=False)),
    "boolean": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us", tz="UTC"), st.datetimes(timezones=st.just(UTC))),
}


@st.composite
def columns(draw: st.DrawFn) -> pa.Array:
    arrow_type, values = TYPES[draw(st.sampled_from(sorted(TYPES)))]
    return pa.array(draw(st.lists(st.one_of(st.none(), values), min_size=1, max_size=12)), arrow_type)


def hash_of(*values: Any, type: pa.DataType | None = None, name: str = "x") -> str:
    return content_hash(pa.table({name: pa.array(values, type)}))


@given(columns(), st.data())
def test_chunks_and_slices_do_not_matter(column: pa.Array, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(column)))
    whole = pa.table({"x": column})
    chunked = pa.table({"x": pa.chunked_array([column[:cut], column[cut:]])})
    padded = pa.concat_arrays([column, column, column])
    sliced = pa.table({"x": padded}).slice(len(column), len(column))
    assert content_hash(whole) == content_hash(chunked) == content_hash(sliced)


@given(columns().filter(lambda column: column.null_count == 0))
def test_an_idle_validity_buffer_does_not_matter(column: pa.Array) -> None:
    with_buffer = pa.concat_arrays([column, pa.nulls(1, column.type)])[: len(column)]
    assert content_hash(pa.table({"x": with_buffer})) == content_hash(pa.table({"x": column}))


@given(columns(), columns())
def test_other_values_have_another_hash(left: pa.Array, right: pa.Array) -> None:
    is_same = left.type == right.type and str(left.to_pylist()) == str(right.to_pylist())
    assert (content_hash(pa.table({"x": left})) == content_hash(pa.table({"x": right}))) == is_same


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("a", "bc"), ("ab", "c")),
        (("", "a"), (None, "a")),
        (("a", ""), ("a", None)),
        (("a", "b"), ("b", "a")),
        ((None, 1), (1, None)),
        ((0, 1), (None, 1)),
        ((False, True), (None, True)),
        ((0.0, 1.0), (None, 1.0)),
        (("NA", "x"), (None, "x")),
        (("A",), ("a",)),
        (("a",), ("a ",)),
        ((1, 1), (1,)),
        ((date(2024, 1, 1),), (date(2024, 1, 2),)),
        ((datetime(2024, 1, 1, tzinfo=UTC),), (datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC),)),
        # Found by hand: the validity bits of one table read as the first length of the other.
        (("\0", "", "", "", "", "", "", ""), (None, None, None, None, None, None, None, "")),
    ],
)
def test_near_misses_have_another_hash(left: tuple[Any, ...], right: tuple[Any, ...]) -> None:
    assert hash_of(*left) != hash_of(*right)


@pytest.mark.parametrize(
    "arrow_type", [pa.binary(), pa.dictionary(pa.int8(), pa.string()), pa.string_view(), pa.decimal128(9, 2)]
)
def test_a_type_whose_bytes_are_not_its_values_is_refused_by_its_column(arrow_type: pa.DataType) -> None:
    with pytest.raises(TypeError, match="column x is"):
        hash_of(None, type=arrow_type)


def test_long_and_short_text_are_one_text() -> None:
    assert hash_of("a", None, type=pa.large_string()) == hash_of("a", None, type=pa.string())


def test_types_and_names_are_part_of_the_hash() -> None:
    assert len({hash_of(None, type=arrow_type) for arrow_type, _ in TYPES.values()}) == len(TYPES)
    assert hash_of(1, name="x") != hash_of(1, name="y")


def test_the_order_of_columns_is_part_of_the_hash() -> None:
    rows = pa.table({"x": [1], "y": [1]})
    assert content_hash(rows) != content_hash(rows.select(["y", "x"]))


def test_tables_without_rows_differ_by_their_columns_alone() -> None:
    assert hash_of(type=pa.int64()) == content_hash(pa.table({"x": pa.array([1, 2])}).slice(1, 0))
    assert hash_of(type=pa.int64()) != hash_of(type=pa.string())

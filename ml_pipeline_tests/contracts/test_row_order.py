import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.row_order import repeats_in_order


@given(keys=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=6), is_sorted=st.booleans())
def test_it_tells_order_and_repeats_as_python_does(keys: list[tuple[str, int]], *, is_sorted: bool) -> None:
    keys = sorted(keys) if is_sorted else keys
    shops, numbers = [shop for shop, _ in keys], [number for _, number in keys]
    rows = pa.table({"shop": pa.array(shops, pa.string()), "number": pa.array(numbers, pa.int64())})
    found = repeats_in_order(rows, ["shop", "number"])
    if keys != sorted(keys):
        assert found is None
    else:
        assert found is not None
        assert found.tolist() == [before == after for before, after in zip(keys, keys[1:], strict=False)]


@pytest.mark.parametrize(
    "column", [pa.array([1, None]), pa.array([1.0, 2.0])], ids=["a null", "numbers that may be NaN"]
)
def test_what_cannot_be_compared_is_not_told(column: pa.Array) -> None:
    assert repeats_in_order(pa.table({"key": column}), ["key"]) is None

from pathlib import Path

import pyarrow as pa
import pytest

from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.delivery_columns import FoundColumns, expected_types, require_columns
from ml_pipeline_tests.io.connectors.test_folder import contract

PATH, NAMES = Path("orders/day.parquet"), contract().column_names


def test_a_legal_column_more_is_told_and_not_refused() -> None:
    assert require_columns(PATH, FoundColumns((*NAMES[::-1], "colour"), {}), contract()) == ("colour",)


@pytest.mark.parametrize(
    "hostile", ['x"; drop table y; --', "", " ", "1st", "Colour", "a" * 64, "a\nb", "_fault", "_delivered_for"]
)
def test_a_column_more_that_is_no_name_is_refused_in_one_line(hostile: str) -> None:
    with pytest.raises(DeliveryError, match="no names of columns") as refusal:
        require_columns(PATH, FoundColumns((*NAMES, hostile), {}), contract())
    assert "\n" not in str(refusal.value)


def test_names_of_any_length_and_number_leave_the_message_short() -> None:
    with pytest.raises(DeliveryError) as refusal:
        require_columns(PATH, FoundColumns(tuple(f"{n}{'x' * 10_000}" for n in range(500)), {}), contract())
    assert len(str(refusal.value)) < 4000


@pytest.mark.parametrize(
    "kind", [pa.int32(), pa.float64(), pa.string(), pa.decimal128(5, 2), pa.list_(pa.int64()), pa.uint64()]
)
def test_every_other_type_is_refused_with_both_names(kind: pa.DataType) -> None:
    with pytest.raises(DeliveryError) as refusal:
        require_columns(PATH, FoundColumns(NAMES, expected_types(contract()) | {"quantity": kind}), contract())
    assert f"quantity: {kind}, expected int64" in str(refusal.value)

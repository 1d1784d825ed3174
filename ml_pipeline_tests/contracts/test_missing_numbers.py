import math

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.missing_numbers import null_if_nan, nulls_for_nan


@pytest.mark.parametrize("value", [0.0, -1.5, 40, math.inf, np.float64(0.1), np.float32(0.5)])
def test_a_number_stays_what_it_is(value: float) -> None:
    assert null_if_nan(value) is value


@pytest.mark.parametrize("value", [math.nan, np.float64("nan"), np.float32("nan"), -math.nan])
def test_what_is_missing_is_null_in_a_table(value: float) -> None:
    column = pa.Table.from_pylist([{"x": null_if_nan(value)}, {"x": 1.0}], schema=pa.schema([("x", pa.float64())]))["x"]
    assert (column.null_count, column.to_pylist()) == (1, [None, 1.0])


def test_each_number_keeps_its_name() -> None:
    assert nulls_for_nan({"a": 1.0, "b": math.nan}) == {"a": 1.0, "b": None}

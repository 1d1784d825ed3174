import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.node_code import decision, greatest_left, number
from ml_pipeline.domain.trees import ZERO, trees_of
from ml_pipeline_tests.domain.test_trees import awkward_trees

EDGES = [
    0.0,
    -0.0,
    ZERO,
    -ZERO,
    1e-35,
    -1e-35,
    1e-36,
    1e-45,
    1e300,
    -1e300,
    3.4028234663852886e38,
    float("inf"),
    float("-inf"),
]


@given(
    threshold=st.one_of(st.sampled_from(EDGES), st.floats(allow_nan=False)),
    value=st.one_of(st.sampled_from(EDGES), st.floats(width=32, allow_nan=False)),
    is_near=st.booleans(),
)
def test_a_cut_of_float32_sends_every_float32_where_lightgbm_sends_it(
    threshold: float, value: float, *, is_near: bool
) -> None:
    with np.errstate(over="ignore"):
        row = np.float32(threshold if is_near else value)
    as_lightgbm_sees_it = 0.0 if abs(float(row)) <= ZERO else float(row)
    assert bool(row <= np.float32(greatest_left(threshold))) == (as_lightgbm_sees_it <= threshold)


@given(st.floats(width=32, allow_nan=False))
def test_a_number_is_written_to_the_last_bit(value: float) -> None:
    assert struct.unpack(">d", bytes.fromhex(number(value).removeprefix("0x")))[0] == value


@pytest.mark.parametrize("parameters", [{}, {"zero_as_missing": True}, {"use_missing": False}], ids=str)
def test_the_last_line_makes_what_was_asked_for_and_no_name_is_made_twice(parameters: dict[str, bool]) -> None:
    tree = trees_of(awkward_trees(**parameters).model_to_string())[0]
    lines = [line for node in range(len(tree.feature)) for line in decision(f"n{node}", tree, node)]
    made = [line.split(" = ")[0].strip() for line in lines]
    assert len(set(made)) == len(made)
    assert {f"%n{node}" for node in range(len(tree.feature))} <= set(made)

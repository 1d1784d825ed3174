import json
import string
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.feature_matrix import OTHER, FeatureEncoder, encoder_from_json, fit_encoder

COLOUR = FeatureContract(name="colour", description="Colour.", type="category")
SIZE = FeatureContract(name="size", description="Size.", direction="increasing")
AGE = FeatureContract(name="age", description="Age.", direction="decreasing")
FEATURES = (SIZE, COLOUR, AGE)
VALUES = st.one_of(st.none(), st.text(string.printable, max_size=3))
NUMBERS = st.one_of(st.none(), st.floats(width=32, allow_nan=True, allow_infinity=False))


def table(colours: list[str | None], sizes: list[float | None] | None = None) -> pa.Table:
    return pa.table({
        "colour": pa.array(colours, pa.string()), "size": pa.array(sizes or [None] * len(colours), pa.float64()),
        "age": pa.array([1.0] * len(colours), pa.float64()),
    })  # fmt: skip


def test_columns_come_in_the_declared_order_with_their_directions() -> None:
    encoder = fit_encoder(table(["red", "blue", None, "red"]), FEATURES)
    assert encoder.names == ("size", "colour", "age")
    assert encoder.columns[1].levels == ("blue", "red")
    assert (encoder.category_positions, encoder.monotone_constraints) == ((1,), (1, 0, -1))


@given(st.lists(st.tuples(VALUES, NUMBERS), max_size=20), st.lists(VALUES, max_size=20))
def test_codes_name_the_levels_and_what_was_never_seen_is_one_level_more(
    seen: list[tuple[str | None, float | None]], later: list[str | None]
) -> None:
    encoder = fit_encoder(table([colour for colour, _ in seen], [size for _, size in seen]), FEATURES)
    matrix = encoder.transform(table(later))
    levels = encoder.columns[1].levels
    decoded = [None if np.isnan(code) else (*levels, OTHER)[int(code)] for code in matrix[:, 1]]
    assert decoded == [colour if colour in {*levels, None} else OTHER for colour in later]
    assert levels == tuple(sorted({colour for colour, _ in seen if colour is not None}))


@given(st.lists(NUMBERS, max_size=20))
def test_numbers_go_through_as_they_are_and_nothing_is_nan(numbers: list[float | None]) -> None:
    matrix = fit_encoder(table([]), FEATURES).transform(table([None] * len(numbers), numbers))
    expected = np.array([np.nan if number is None else number for number in numbers], dtype=np.float32)
    assert np.array_equal(matrix[:, 0], expected, equal_nan=True)


@given(st.lists(VALUES, max_size=20))
def test_an_encoder_survives_its_json(colours: list[str | None]) -> None:
    encoder = fit_encoder(table(colours), FEATURES)
    assert encoder_from_json(json.loads(json.dumps(encoder.as_json()))) == encoder


def test_data_that_bring_the_name_of_the_other_level_are_of_that_level() -> None:
    encoder = fit_encoder(table(["red", OTHER]), FEATURES)
    assert encoder.columns[1].levels == ("red",)
    assert encoder.transform(table([OTHER, "never seen", "red"]))[:, 1].tolist() == [1.0, 1.0, 0.0]


def test_an_encoder_of_before_there_was_an_other_level_takes_the_unseen_for_missing() -> None:
    content = fit_encoder(table(["red"]), FEATURES).as_json()
    assert [entry.pop("other", None) for entry in content] == [None, OTHER, None]
    before = encoder_from_json(content)
    assert np.isnan(before.transform(table(["never seen", None]))[:, 1]).all()
    assert before.as_json() == content


def test_chunks_and_column_order_do_not_matter() -> None:
    encoder = fit_encoder(table(["a", "b"]), FEATURES)
    whole = table(["b", "z", None, "a"], [1.0, None, 3.0, 4.0])
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1)]).select(["age", "size", "colour"])
    assert np.array_equal(encoder.transform(whole), encoder.transform(chunked), equal_nan=True)


def test_rows_are_not_changed_and_may_be_none() -> None:
    rows = table(["a", None])
    before = rows.to_pydict()
    encoder = fit_encoder(rows, FEATURES)
    assert encoder.transform(rows.slice(0, 0)).shape == (0, 3)
    assert rows.to_pydict() == before


def test_a_missing_column_is_refused() -> None:
    encoder = fit_encoder(table(["a"]), FEATURES)
    with pytest.raises(KeyError, match="size"):
        encoder.transform(table(["a"]).drop(["size"]))


@pytest.mark.parametrize(
    "damage", [{"levels": None}, {"other": "rest"}, {"contract": {"name": "Robert'); drop table"}}]
)
def test_a_damaged_encoder_is_refused(damage: dict[str, Any]) -> None:
    content = fit_encoder(table(["a"]), FEATURES).as_json()
    with pytest.raises((TypeError, ValueError)):
        encoder_from_json([content[0] | damage])
    assert encoder_from_json(content) != FeatureEncoder(())

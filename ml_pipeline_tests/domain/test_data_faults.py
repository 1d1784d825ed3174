import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.drift import DriftContract
from ml_pipeline.domain.data_faults import find_faults, summarise_night

RULES = DriftContract()
NAMES = ("weight", "kind", "wind")


def night(seed: int, rows: int = 80, shift: float = 0.0) -> np.ndarray:
    """A number, a category, and a number that is one and the same within a night."""
    draw = np.random.default_rng(seed)
    weight = draw.lognormal(1 + shift, 0.4, rows)
    weight[draw.random(rows) < 0.1] = np.nan
    return np.column_stack([weight, draw.integers(0, 3, rows), np.full(rows, draw.uniform(5, 20))]).astype(np.float32)


BEFORE = [summarise_night(night(seed)) for seed in range(28)]


def faults(matrix: np.ndarray, before: list = BEFORE) -> dict[str, tuple[str, ...]]:
    return find_faults(RULES, NAMES, summarise_night(matrix), before, numbers=(True, False, True))


def broken(column: int, values: object, rows: slice = slice(None)) -> np.ndarray:
    matrix = night(100)
    matrix[rows, column] = values
    return matrix


@pytest.mark.parametrize(
    ("matrix", "name", "words"),
    [
        (broken(0, np.nan, slice(50)), "weight", "missing in"), (broken(1, 1.0), "kind", "one and the same value"),
        (broken(0, 7.5), "weight", "one and the same value"), (night(100) * np.float32([453.6, 1, 1]), "weight", "another unit"),
        (night(100) * np.float32([1, 1, 0.001]), "wind", "another unit"), (night(100, 10), "", "10 rows, 80 to 80"),
        (night(100, 400), "", "400 rows, 80 to 80"),
    ],
)  # fmt: skip
def test_each_fault_is_named_at_its_feature(matrix: np.ndarray, name: str, words: str) -> None:
    found = faults(matrix)
    assert list(found) == [name]
    assert any(words in told for told in found[name])


@given(st.integers(200, 10_000), st.floats(-1, 1))
def test_a_calm_night_and_one_that_drifts_are_no_fault(seed: int, shift: float) -> None:
    """A shift by a factor of e, which every drift index calls extreme, is within what a world may do."""
    assert faults(night(seed, shift=shift)) == {}


def test_what_was_so_before_is_how_things_are() -> None:
    before = [*BEFORE, summarise_night(broken(0, np.nan, slice(50))), summarise_night(broken(1, 1.0))]
    assert faults(broken(0, np.nan, slice(50)), before) == faults(broken(1, 1.0), before) == {}


def test_without_a_past_nothing_is_judged() -> None:
    assert faults(broken(0, np.nan), BEFORE[:3]) == {}
    assert summarise_night(np.empty((0, 3), np.float32)).rows == 0

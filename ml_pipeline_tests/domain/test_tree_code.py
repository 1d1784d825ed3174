from typing import Any

import lightgbm
import numpy as np
import pytest

from ml_pipeline.domain.tree_code import ENTRY, ROWS_A_PASS, TEXT_VERSION, tree_code
from ml_pipeline.domain.trees import ZERO
from ml_pipeline.io.compiled_trees import CodeForm, CompiledTrees, compile_trees
from ml_pipeline_tests.domain.test_trees import TRAINING, awkward_rows, awkward_trees, hostile_rows

FORM = CodeForm(ENTRY, ROWS_A_PASS, TEXT_VERSION)


def scores(booster: lightgbm.Booster, rows: np.ndarray) -> np.ndarray:
    return CompiledTrees(compile_trees(tree_code(booster.model_to_string())), FORM, rows.shape[1]).predict(
        rows, threads=1
    )


def differing(one: np.ndarray, other: np.ndarray) -> int:
    return int((one.view(np.uint64) != other.view(np.uint64)).sum())


def nearly_zero(seed: int) -> np.ndarray:
    """What lies at, just below and just above the number that LightGBM still takes for zero."""
    generator = np.random.default_rng(seed)
    edge = np.float32(ZERO)
    near = [edge, -edge, *(np.nextafter(side, to) for side in (edge, -edge) for to in (np.float32(-1), np.float32(1)))]
    rows = hostile_rows(seed)
    return np.where(generator.random(rows.shape) < 0.5, generator.choice(np.array(near, np.float32), rows.shape), rows)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"zero_as_missing": True}, {"use_missing": False}, {"monotone_constraints": [1, 0, 0, 0, -1]},
     {"num_leaves": 2}, {"num_leaves": 100, "min_data_in_leaf": 2}, {"sigmoid": 0.7}, {"boost_from_average": False}],
    ids=str,
)  # fmt: skip
def test_every_score_is_that_of_lightgbm_bit_for_bit(parameters: dict[str, Any]) -> None:
    booster = awkward_trees(40, **parameters)
    rows = np.concatenate(
        [awkward_rows(10_000, 3), *(make(seed) for seed in range(8) for make in (hostile_rows, nearly_zero))]
    )
    found = scores(booster, rows)
    assert differing(found, booster.predict(rows, num_threads=1)) == 0
    assert len(np.unique(found)) > (1 if parameters.get("num_leaves") == 2 else 500)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 255, 256, 257, 300])
def test_any_number_of_rows_is_scored_alike(count: int) -> None:
    booster = awkward_trees()
    rows = hostile_rows(5)[:count]
    assert differing(scores(booster, rows), booster.predict(rows, num_threads=1)) == 0


def test_categories_beyond_a_word_of_bits_are_told_apart() -> None:
    generator = np.random.default_rng(2)
    rows = generator.integers(0, 300, (4000, 1)).astype(np.float32)
    labels = generator.random(4000) < np.where(rows[:, 0] % 7 == 0, 0.8, 0.2)
    data = lightgbm.Dataset(rows, label=labels, categorical_feature=[0])
    booster = lightgbm.train(TRAINING | {"min_data_per_group": 1, "cat_smooth": 1}, data, num_boost_round=20)
    strange = np.array(
        [[code] for code in [*range(-3, 340), 0.5, -0.5, 299.9, np.nan, np.inf, -np.inf, 1e9]], np.float32
    )
    expected = booster.predict(strange, num_threads=1)
    assert differing(scores(booster, strange), expected) == 0
    assert len(np.unique(expected)) > 5


def test_a_tree_of_one_leaf_is_added_too() -> None:
    rows = np.zeros((50, 2), dtype=np.float32)
    data = lightgbm.Dataset(rows, label=np.arange(50) % 3 == 0, params={"feature_pre_filter": False})
    booster = lightgbm.train(TRAINING, data, num_boost_round=2)
    assert differing(scores(booster, rows), booster.predict(rows, num_threads=1)) == 0


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [({"objective": "regression"}, "the objective is not binary"), ({"objective": "cross_entropy"}, "the objective is not binary"),
     ({"num_leaves": 200, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0}, "leaves; beyond 128")],
    ids=str,
)  # fmt: skip
def test_what_is_not_translated_is_refused(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        tree_code(awkward_trees(**parameters).model_to_string())

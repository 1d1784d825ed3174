from typing import Any

import lightgbm
import numpy as np
import pytest

from ml_pipeline.domain.trees import Tree, trees_of

ROWS = 2000
TRAINING = {"objective": "binary", "num_leaves": 15, "min_data_in_leaf": 5, "seed": 1, "num_threads": 1, "verbose": -1}


def awkward_rows(rows: int, seed: int) -> np.ndarray:
    """Numbers, numbers with gaps, mostly zeros, categories: what LightGBM has a rule of its own for."""
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(rows, 5)).astype(np.float32)
    matrix[generator.random(rows) < 0.3, 1] = np.nan
    matrix[generator.random(rows) < 0.7, 2] = 0
    matrix[:, 3] = generator.integers(0, 50, rows)
    return matrix


def hostile_rows(seed: int) -> np.ndarray:
    """Missing values where none were seen, categories that nobody knows, infinities and what is nearly zero."""
    generator = np.random.default_rng(seed)
    matrix = generator.permuted(awkward_rows(ROWS, seed), axis=0)
    strange = generator.choice(
        np.array([np.nan, 0, -1, -0.5, 1e-36, 50, 1e6, -np.inf, np.inf], np.float32), matrix.shape
    )
    return np.where(generator.random(matrix.shape) < 0.4, strange, matrix)


def awkward_trees(count: int = 12, **parameters: Any) -> lightgbm.Booster:
    matrix = awkward_rows(ROWS, 0)
    chance = 0.2 + 0.3 * (np.nan_to_num(matrix[:, 1]) > 0) + 0.3 * (matrix[:, 3] % 3 == 0) + 0.1 * (matrix[:, 2] != 0)
    labels = np.random.default_rng(1).random(ROWS) < chance
    data = lightgbm.Dataset(matrix, label=labels, categorical_feature=[3])
    return lightgbm.train(TRAINING | parameters, data, num_boost_round=count)


def leaf_of(tree: Tree, row: np.ndarray) -> int:
    child = 0
    while child >= 0:
        is_left = tree.goes_left(child, row[tree.feature[child] : tree.feature[child] + 1].astype(np.float64))[0]
        child = int(tree.left[child] if is_left else tree.right[child])
    return ~child


@pytest.mark.parametrize("parameters", [{}, {"zero_as_missing": True}, {"use_missing": False}], ids=str)
def test_every_row_reaches_the_leaf_that_lightgbm_says(parameters: dict[str, Any]) -> None:
    booster = awkward_trees(**parameters)
    trees = trees_of(booster.model_to_string())
    rows = np.concatenate([awkward_rows(150, 7), hostile_rows(8)[:150]])
    expected = booster.predict(rows, pred_leaf=True)
    assert len(trees) == expected.shape[1] == 12
    found = np.array([[leaf_of(tree, row) for tree in trees] for row in rows])
    assert np.array_equal(found, expected)
    assert len(np.unique(expected)) > 10


def test_counts_and_values_are_those_of_the_text() -> None:
    booster = awkward_trees()
    for tree, told in zip(trees_of(booster.model_to_string()), booster.dump_model()["tree_info"], strict=True):
        assert tree.rows_at(0) == told["tree_structure"]["internal_count"] == ROWS
        assert tree.leaf_rows.sum() == ROWS
        assert len(tree.leaf_value) == told["num_leaves"] == len(tree.feature) + 1
        assert tree.leaf_value[0] == booster.get_leaf_output(told["tree_index"], 0)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [({"objective": "multiclass", "num_class": 3}, "more than one class"), ({"linear_tree": True}, "linear")],
)
def test_trees_of_another_kind_are_refused(parameters: dict[str, Any], reason: str) -> None:
    generator = np.random.default_rng(0)
    data = lightgbm.Dataset(generator.random((300, 2)), label=generator.integers(0, 2, 300))
    booster = lightgbm.train(TRAINING | parameters, data, num_boost_round=2)
    with pytest.raises(ValueError, match=reason):
        trees_of(booster.model_to_string())


def test_a_text_that_breaks_off_is_refused() -> None:
    text = awkward_trees().model_to_string()
    with pytest.raises(ValueError, match="a tree lacks"):
        trees_of(text[: text.index("leaf_value")])

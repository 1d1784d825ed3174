from itertools import combinations
from math import factorial
from typing import Any

import lightgbm
import numpy as np
import pytest

from ml_pipeline.domain import tree_shap as module
from ml_pipeline.domain.tree_shap import leaf_pushes, tree_shap
from ml_pipeline_tests.domain.test_trees import TRAINING, awkward_rows, awkward_trees, hostile_rows


@pytest.mark.parametrize("parameters", [{}, {"zero_as_missing": True}, {"num_leaves": 63}], ids=str)
def test_contributions_are_those_of_lightgbm(parameters: dict[str, Any]) -> None:
    booster = awkward_trees(**parameters)
    tables = tree_shap(booster.model_to_string(), 5)
    assert tables is not None
    for rows in (awkward_rows(3000, 3), hostile_rows(4)):
        expected = booster.predict(rows, pred_contrib=True)[:, :-1]
        assert np.abs(tables.contributions(rows) - expected).max() < 1e-13
        assert np.abs(expected).max() > 0.1


def test_a_row_is_explained_alike_alone_and_among_others() -> None:
    tables = tree_shap(awkward_trees().model_to_string(), 5)
    assert tables is not None
    rows = hostile_rows(5)
    whole = tables.contributions(rows)
    for row in (0, 1, 1999):
        assert np.array_equal(tables.contributions(rows[row : row + 1])[0], whole[row])


def test_how_leaves_share_tables_changes_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    text, rows = awkward_trees().model_to_string(), hostile_rows(6)
    found = []
    for bits in (0, 4, 12):
        monkeypatch.setattr(module, "_SHARED_BITS", bits)
        tables = tree_shap(text, 5)
        assert tables is not None
        found.append(tables.contributions(rows))
    assert np.abs(found[0] - found[1]).max() < 1e-13
    assert np.abs(found[0] - found[2]).max() < 1e-13


def test_a_leaf_pushes_as_shapley_defines() -> None:
    """The sum over all coalitions, written out (Shapley 1953; Lundberg et al. 2020 for what a missing feature does)."""
    generator = np.random.default_rng(0)
    shares, values = generator.uniform(0.05, 1, (3, 4)), generator.normal(size=3)
    found = leaf_pushes(shares, values)
    for leaf in range(3):
        for pattern in range(16):
            lets_by = [pattern >> feature & 1 for feature in range(4)]
            for feature in range(4):
                others = [other for other in range(4) if other != feature]
                total = 0.0
                for size in range(4):
                    for known in combinations(others, size):
                        weight = factorial(size) * factorial(3 - size) / factorial(4)
                        rest = np.prod([lets_by[other] if other in known else shares[leaf, other] for other in others])
                        total += weight * rest * (lets_by[feature] - shares[leaf, feature])
                assert found[leaf, feature, pattern] == pytest.approx(values[leaf] * total, abs=1e-14)


def test_trees_that_are_not_read_or_whose_paths_are_long_have_no_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tree_shap("tree\nno model", 5) is None
    monkeypatch.setattr(module, "_MOST_CELLS", 10)
    assert tree_shap(awkward_trees().model_to_string(), 5) is None


def test_a_tree_of_one_leaf_pushes_nothing() -> None:
    data = lightgbm.Dataset(np.zeros((100, 1)), label=np.arange(100) % 2)
    tables = tree_shap(lightgbm.train(TRAINING, data, num_boost_round=2).model_to_string(), 1)
    assert tables is not None
    assert not tables.contributions(np.ones((3, 1), dtype=np.float32)).any()

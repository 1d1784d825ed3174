import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ml_pipeline.domain.roc import chance_error, roc_auc


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=40))
def test_the_area_is_that_of_scikit_learn_ties_and_all(pairs: list[tuple[bool, int]]) -> None:
    labels, values = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    if 0 < labels.sum() < len(labels):
        assert roc_auc(labels, values) == pytest.approx(roc_auc_score(labels, values))
    else:
        assert np.isnan(roc_auc(labels, values))
        assert np.isnan(chance_error(labels, values))


@pytest.mark.parametrize("is_tied", [False, True])
def test_the_error_is_that_of_many_random_deals(is_tied: bool) -> None:
    generator = np.random.default_rng(0)
    values = generator.random(300)
    values = np.round(values, 1) if is_tied else values
    labels = np.repeat([1.0, 0.0], [60, 240])
    areas = [roc_auc(generator.permutation(labels), values) for _ in range(4000)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.003)
    assert np.std(areas) == pytest.approx(chance_error(labels, values), rel=0.05)


def test_values_that_are_all_alike_cannot_err() -> None:
    labels = np.array([1.0, 0.0, 0.0])
    assert (roc_auc(labels, np.zeros(3)), chance_error(labels, np.zeros(3))) == (0.5, 0.0)

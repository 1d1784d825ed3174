import numpy as np
import pytest

from ml_pipeline.domain.importance import contributions, global_importance
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline_tests.small_model import SmallModel, small_model


@pytest.fixture(scope="module")
def model() -> SmallModel:
    return small_model()


def test_contributions_of_a_row_sum_to_its_score_but_for_one_constant(model: SmallModel) -> None:
    pushes = contributions(model.scorer, model.matrix, threads=1)
    scores = raw_scores(model.scorer, model.matrix, threads=1)
    rest = np.log(scores / (1 - scores)) - pushes.sum(axis=1)
    assert pushes.shape == (1200, 5)
    assert np.ptp(rest) < 1e-9


def test_what_the_outcome_follows_leads_and_shares_sum_to_one(model: SmallModel) -> None:
    found = global_importance(model.scorer, contributions(model.scorer, model.matrix, threads=1))
    assert found[0].feature in {"rate", "copy_of_rate"}
    assert [one.mean_contribution for one in found] == sorted((one.mean_contribution for one in found), reverse=True)
    assert {one.feature for one in found} == set(model.scorer.encoder.names)
    assert sum(one.share for one in found) == pytest.approx(1.0)


def test_importance_is_the_mean_of_absolute_pushes_and_equals_stand_by_name(model: SmallModel) -> None:
    pushes = np.array([[1.0, -1.0, 0.0, 0.0, 3.0], [-1.0, 1.0, 0.0, 0.0, -1.0]])
    found = global_importance(model.scorer, pushes)
    assert [(one.feature, one.mean_contribution, one.share) for one in found] == [
        ("number", 2.0, 0.5), ("copy_of_rate", 1.0, 0.25), ("rate", 1.0, 0.25), ("age", 0.0, 0.0), ("shelf", 0.0, 0.0),
    ]  # fmt: skip


def test_trees_that_move_nothing_share_nothing(model: SmallModel) -> None:
    assert {one.share for one in global_importance(model.scorer, np.zeros((3, 5)))} == {0.0}

import lightgbm
import numpy as np
import pytest

from ml_pipeline.domain.averaged_trees import average_trees

RNG = np.random.default_rng(5)
MATRIX = np.column_stack([RNG.normal(size=(900, 2)), RNG.integers(0, 5, 900)]).astype(np.float32)
MATRIX[RNG.random((900, 3)) < 0.1] = np.nan
LABELS = (RNG.random(900) < 1 / (1 + np.exp(-np.nan_to_num(MATRIX[:, 0]) - (MATRIX[:, 2] == 2)))).astype(float)


def model(leaves: int, trees: int, seed: int) -> lightgbm.Booster:
    parameters = {
        "objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 5, "seed": seed, "feature_fraction": 0.7, "verbose": -1,
        "num_threads": 1,
    }  # fmt: skip
    data = lightgbm.Dataset(MATRIX, LABELS, feature_name=["a", "b", "c"], categorical_feature=[2])
    return lightgbm.train(parameters, data, num_boost_round=trees)


@pytest.fixture(scope="module")
def members() -> list[lightgbm.Booster]:
    return [model(7, 12, 1), model(2, 30, 2), model(4, 1, 3)]


def test_the_log_odds_are_the_mean_of_those_of_the_members(members: list[lightgbm.Booster]) -> None:
    averaged = lightgbm.Booster(model_str=average_trees([member.model_to_string() for member in members]))
    wanted = np.mean([member.predict(MATRIX, raw_score=True) for member in members], axis=0)
    assert averaged.predict(MATRIX, raw_score=True) == pytest.approx(wanted, abs=1e-12)
    assert averaged.num_trees() == 12 + 30 + 1


def test_so_are_the_contributions_and_the_importances(members: list[lightgbm.Booster]) -> None:
    averaged = lightgbm.Booster(model_str=average_trees([member.model_to_string() for member in members]))
    wanted = np.mean([member.predict(MATRIX, pred_contrib=True) for member in members], axis=0)
    assert averaged.predict(MATRIX, pred_contrib=True) == pytest.approx(wanted, abs=1e-9)
    splits = sum(member.feature_importance("split") for member in members)
    assert averaged.feature_importance("split").tolist() == splits.tolist()


def test_one_member_is_left_as_it_is(members: list[lightgbm.Booster]) -> None:
    text = members[0].model_to_string()
    assert average_trees([text]) == text


def test_a_member_that_found_no_split_counts_too() -> None:
    other = model(7, 3, 1)
    few = lightgbm.Dataset(MATRIX[:8], LABELS[:8])
    constant = lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 100}, few, num_boost_round=2)
    text = constant.model_to_string().replace("Column_0 Column_1 Column_2", "a b c")
    averaged = lightgbm.Booster(model_str=average_trees([other.model_to_string(), text]))
    wanted = (other.predict(MATRIX, raw_score=True) + constant.predict(MATRIX, raw_score=True)) / 2
    assert averaged.predict(MATRIX, raw_score=True) == pytest.approx(wanted, abs=1e-12)

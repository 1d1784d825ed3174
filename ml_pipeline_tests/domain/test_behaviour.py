from dataclasses import replace

import numpy as np
import pytest

from ml_pipeline.contracts.project import BehaviourContract
from ml_pipeline.domain.behaviour import Behaviour, try_behaviour
from ml_pipeline_tests.small_model import SmallModel, small_model


@pytest.fixture(scope="module")
def model() -> SmallModel:
    return small_model()


def tried(model: SmallModel, **declared: object) -> Behaviour:
    contract = BehaviourContract.model_validate(declared)
    return try_behaviour(contract, model.scorer, model.matrix, model.nights, seed=3, threads=1)


def test_constrained_trees_never_move_against_a_direction(model: SmallModel) -> None:
    found = tried(model)
    assert [(trial.feature, trial.direction, trial.raises) for trial in found.directions] == [
        ("rate", "increasing", 5), ("copy_of_rate", "increasing", 5), ("age", "decreasing", 5),
    ]  # fmt: skip
    assert [(trial.rows_against, trial.worst_change >= 0) for trial in found.directions] == [(0, True)] * 3
    assert (found.invariance, found.violations) == (None, ())


def test_trees_that_were_not_held_to_their_directions_are_caught() -> None:
    found = tried(small_model(is_constrained=False))
    assert all(trial.rows_against > 0 for trial in found.directions)
    assert len(found.violations) == 3
    assert found.violations[2].startswith("age is declared decreasing, but raising it moved ")


def test_a_direction_that_is_declared_the_wrong_way_is_caught_by_the_mean(model: SmallModel) -> None:
    columns = tuple(
        replace(column, contract=column.contract.model_copy(update={"direction": "decreasing"}))
        if column.name == "copy_of_rate"
        else column
        for column in model.scorer.encoder.columns
    )
    scorer = replace(model.scorer, encoder=replace(model.scorer.encoder, columns=columns))
    found = tried(replace(model, scorer=scorer))
    assert min(trial.worst_change for trial in found.directions) < -0.01
    assert ["copy_of_rate" in told for told in found.violations] == [True]


def test_a_feature_without_a_value_in_any_row_is_not_raised(model: SmallModel) -> None:
    matrix = model.matrix
    matrix[:, 0] = np.nan
    found = try_behaviour(BehaviourContract(), model.scorer, matrix, model.nights, seed=3, threads=1)
    assert [trial.raises for trial in found.directions] == [0, 5, 5]
    assert found.violations == ()


def test_what_tells_of_risk_is_not_invariant(model: SmallModel) -> None:
    found = tried(model, invariant_to=["copy_of_rate", "rate"], tolerance=0.01)
    assert found.invariance is not None
    assert found.invariance.mean_change > 0.1
    assert found.violations[0].startswith("exchanging copy_of_rate, rate among rows of a night alike in nothing else")


def test_values_change_places_only_within_their_peers(model: SmallModel) -> None:
    """Where every row is its own peer nothing can be exchanged; where none has a peer value all of a night are peers."""
    alone = tried(model, invariant_to=["rate"], peers=["number"]).invariance
    assert alone is not None
    assert (alone.rows_exchanged, alone.mean_change, alone.largest_change) == (0, 0.0, 0.0)
    by_night = tried(model, invariant_to=["shelf"], peers=["shelf"]).invariance
    assert by_night is not None
    assert by_night.rows_exchanged == 0
    matrix = model.matrix
    matrix[:, 4] = np.nan
    contract = BehaviourContract(invariant_to=("age",), peers=("number",))
    among_all = try_behaviour(contract, model.scorer, matrix, model.nights, seed=3, threads=1).invariance
    assert among_all is not None
    assert among_all.rows_exchanged > 1000


def test_rows_of_different_nights_are_no_peers(model: SmallModel) -> None:
    nights = np.datetime64("2024-03-01") + np.arange(len(model.labels))
    contract = BehaviourContract(invariant_to=("rate",))
    found = try_behaviour(contract, model.scorer, model.matrix, nights, seed=3, threads=1).invariance
    assert found is not None
    assert found.rows_exchanged == 0


@pytest.mark.parametrize("declared", [{"invariant_to": ["colour"]}, {"invariant_to": ["rate"], "peers": ["colour"]}])
def test_an_unknown_feature_is_refused_by_name(model: SmallModel, declared: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=r"project\.yml, behaviour: 'colour' is no feature of the model"):
        tried(model, **declared)

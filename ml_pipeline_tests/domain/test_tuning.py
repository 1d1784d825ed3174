from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.tuning import ChoiceRange, NumberRange, TuningContract
from ml_pipeline.domain.tuning import FoldScore, Trial, TrialResult, apply_parameters, choose_trial, draw_trials
from ml_pipeline_tests.domain.test_training import CONTRACT as TRAINING

CONTRACT = TuningContract(
    trials=30, budget_seconds=1, folds=2, validate_nights=5,
    space={
        "num_leaves": NumberRange(low=2, high=31, scale="log", is_whole=True),
        "lambda_l2": NumberRange(low=0, high=50), "recency_half_life_nights": ChoiceRange(choices=(None, 30.0)),
    },
)  # fmt: skip
NIGHTS = np.repeat(np.datetime64("2024-03-01") + np.arange(10), 50)


def result(number: int, losses: Sequence[float] | np.ndarray, *, leaves: int = 100) -> TrialResult:
    half = len(NIGHTS) // 2
    folds = [
        FoldScore(fold, NIGHTS[part], np.broadcast_to(np.asarray(losses, dtype=float), NIGHTS.shape)[part], leaves)
        for fold, part in ((1, slice(half)), (2, slice(half, None)))
    ]
    return TrialResult(Trial(number, {"number": number}), tuple(folds))


def test_the_first_trial_is_the_project_itself() -> None:
    first = draw_trials(CONTRACT, seed=1)[0]
    assert (first.number, dict(first.parameters)) == (1, {})
    assert apply_parameters(TRAINING, first.parameters) == TRAINING


def test_trials_are_drawn_inside_of_the_space_and_are_not_all_alike() -> None:
    trials = draw_trials(CONTRACT, seed=1)
    assert [trial.number for trial in trials] == list(range(1, 31))
    drawn = [dict(trial.parameters) for trial in trials[1:]]
    assert {type(one["num_leaves"]) for one in drawn} == {int}
    assert all(2 <= one["num_leaves"] <= 31 and 0 <= one["lambda_l2"] <= 50 for one in drawn)  # type: ignore[operator]
    assert {one["recency_half_life_nights"] for one in drawn} == {None, 30.0}
    assert len({one["lambda_l2"] for one in drawn}) == 29


def test_more_trials_or_another_parameter_leave_the_others_what_they_are() -> None:
    more = CONTRACT.model_copy(update={"trials": 60})
    assert draw_trials(more, seed=1)[:30] == draw_trials(CONTRACT, seed=1)
    assert draw_trials(CONTRACT, seed=2)[1:] != draw_trials(CONTRACT, seed=1)[1:]


def test_parameters_go_where_they_belong_and_change_nothing_else() -> None:
    applied = apply_parameters(TRAINING, {"num_leaves": 3, "history_nights": 40, "recency_half_life_nights": 30.0})
    assert (applied.history_nights, applied.recency_half_life_nights) == (40, 30.0)
    assert applied.lightgbm == TRAINING.lightgbm | {"num_leaves": 3}
    assert applied.seed == TRAINING.seed
    with pytest.raises(ValidationError, match="history_nights"):
        apply_parameters(TRAINING, {"history_nights": 0})


def test_the_simplest_within_one_standard_error_is_kept() -> None:
    noise = np.repeat(np.random.default_rng(1).normal(0, 0.05, 10), 50)
    noise -= noise.mean()
    best, near, far = (
        result(1, 0.500, leaves=300),
        result(2, 0.501 + noise, leaves=20),
        result(3, 0.6 + noise, leaves=2),
    )
    choice = choose_trial([best, near, far])
    assert (choice.chosen, choice.best, dict(choice.parameters)) == (2, 1, {"number": 2})
    nightly = noise[::50]
    assert choice.standard_error == pytest.approx(nightly.std(ddof=1) / np.sqrt(10), rel=1e-9)
    assert choice.worse_by == pytest.approx(0.001)
    assert "20 leaves in the place of 300" in choice.reasons[1]


def test_a_difference_that_is_the_same_every_night_is_no_noise() -> None:
    choice = choose_trial([result(1, 0.500, leaves=300), result(2, 0.501, leaves=20)])
    assert (choice.chosen, len(choice.reasons)) == (1, 1)


def test_of_equals_the_first_is_kept() -> None:
    assert choose_trial([result(2, 0.5), result(1, 0.5)]).chosen == 1


def test_no_trial_and_other_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="no trial"):
        choose_trial([])
    other = TrialResult(Trial(2, {}), (FoldScore(1, NIGHTS[1:], np.full(len(NIGHTS) - 1, 0.4), 5),))
    with pytest.raises(ValueError, match="not judged on the same rows"):
        choose_trial([result(1, 0.5), other])

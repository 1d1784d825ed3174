from typing import Any

import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.tuning import ChoiceRange, NumberRange, TuningContract

SOUND: dict[str, Any] = {
    "trials": 3, "budget_seconds": 60, "folds": 2, "validate_nights": 7,
    "space": {"num_leaves": {"low": 2, "high": 31, "scale": "log", "is_whole": True}, "history_nights": {"choices": [None, 60]}},
}  # fmt: skip


def test_a_range_is_a_range_and_choices_are_choices() -> None:
    space = TuningContract.model_validate(SOUND).space
    assert isinstance(space["num_leaves"], NumberRange)
    assert space["history_nights"] == ChoiceRange(choices=(None, 60))


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({"num_threads": {"low": 1, "high": 2}}, "num_threads"), ({"seed": {"choices": [1, 2]}}, "seed"),
        ({"lambda_l2": {"low": 2, "high": 1}}, "low must be the smaller"),
        ({"lambda_l2": {"low": 0, "high": 1, "scale": "log"}}, "log scale"),
        ({"lambda_l2": {"choices": [1]}}, "choices"), ({}, "space"),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_searched_is_refused(space: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TuningContract.model_validate(SOUND | {"space": space})

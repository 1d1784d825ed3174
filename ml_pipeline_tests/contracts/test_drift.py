import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.drift import DriftContract


def test_rules_by_which_nothing_could_be_seen_are_refused() -> None:
    for terms in (
        {"least_windows": 6},
        {"max_effect": 1.0},
        {"min_nights": 1},
        {"max_scale_ratio": 1.0},
        {"unknown": 1},
    ):
        with pytest.raises(ValidationError):
            DriftContract.model_validate(terms)

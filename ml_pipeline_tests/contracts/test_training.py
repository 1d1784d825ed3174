import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.training import MemberContract, TrainingContract

OLD = {
    "warmup_nights": 0, "early_stop_nights": 1, "calibrate_nights": 1, "test_nights": 1, "seed": 7, "max_trees": 60,
    "patience_trees": 10, "lightgbm": {"num_leaves": 7},
}  # fmt: skip


def test_a_project_from_before_there_were_members_trains_as_it_did() -> None:
    contract = TrainingContract.model_validate(OLD)
    assert contract.members == (MemberContract(),)
    assert (contract.grows_again, contract.recency_half_life_nights, contract.history_nights) == (False, None, None)


@pytest.mark.parametrize(
    "wrong", [{"members": []}, {"members": [{"trees": 0}]}, {"recency_half_life_nights": 0}, {"history_nights": 0}]
)
def test_what_no_training_can_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TrainingContract.model_validate(OLD | wrong)

import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.policy import PolicyContract
from ml_pipeline.contracts.project import ProjectContract, load_project
from ml_pipeline_tests.processes import ROOT


def test_a_project_from_before_there_was_a_policy_gets_the_default_one() -> None:
    project = load_project(ROOT / "ml_pipeline_tests" / "shop").model_dump(mode="json")
    del project["policy"]
    assert ProjectContract.model_validate(project).policy == PolicyContract()


def test_a_policy_that_could_never_ask_or_always_must_is_refused() -> None:
    for terms in (
        {"of_nights": 0},
        {"least_cost_saving": 1.0},
        {"max_calibration_gap": -0.1},
        {"max_rejected": 0},
        {"unknown": 1},
    ):
        with pytest.raises(ValidationError):
            PolicyContract.model_validate(terms)

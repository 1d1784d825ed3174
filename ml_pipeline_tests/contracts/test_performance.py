import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.performance import EstimateContract
from ml_pipeline.contracts.project import ProjectContract, load_project
from ml_pipeline_tests.processes import ROOT


def test_a_project_from_before_there_were_estimates_gets_the_default_rules() -> None:
    project = load_project(ROOT / "ml_pipeline_tests" / "shop").model_dump(mode="json")
    del project["estimates"]
    assert ProjectContract.model_validate(project).estimates == EstimateContract()


def test_rules_that_trust_everything_or_nothing_are_refused() -> None:
    for terms in ({"graded_nights": 0}, {"max_error": 0.0}, {"unknown": 1}):
        with pytest.raises(ValidationError):
            EstimateContract.model_validate(terms)

from ml_pipeline.defs.training_facts import refit_facts
from ml_pipeline.domain.refit import RefitDecision
from ml_pipeline.operations.refit import Refit


def test_a_refit_that_was_decided_against_shows_why() -> None:
    decision = RefitDecision(False, ("it gains nothing", "in no fold"))
    facts = refit_facts(Refit("2024-05-05-abc", decision, None, is_champion=False, is_new=True))
    assert (facts["is_refit"], facts["refit_version"], facts["refit_is_champion"]) == (False, "none", False)
    assert facts["refit_reasons"].value == "- it gains nothing\n- in no fold"

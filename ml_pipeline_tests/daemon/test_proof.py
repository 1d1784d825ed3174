"""Each piece of evidence is answered by exactly one successful run of the real daemon; the module's command tries more."""

from datetime import date

import pytest

from ml_pipeline.operations.site import Site
from ml_pipeline_tests.daemon.proof import prove


# Two starts of the daemon and a run are as many interpreters that import everything: long on a busy machine.
@pytest.mark.timeout(900)
def test_evidence_is_answered_once_although_the_daemon_dies_and_looks_a_hundred_times(scored_shop_copy: Site) -> None:
    """SIGKILL falls between the creation of the run and the end of its tick; a fresh daemon finds both."""
    answers = prove(
        scored_shop_copy, {"e1": date(2024, 5, 20)}, deaths=["RUN_CREATED"], failures=0, evaluations=100
    )  # fmt: skip
    print(f"evaluations: {answers.evaluations} / {sum(map(len, answers.runs.values()))} runs, {answers.deaths} deaths")
    assert (answers.evaluations >= 100, answers.deaths) == (True, 1)
    assert answers.runs == {"e1": ["SUCCESS"]}
    assert answers.run_keys == ["e1"]
    assert answers.trained == ["2024-05-20"]

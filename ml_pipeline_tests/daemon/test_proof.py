"""Each piece of evidence is answered by exactly one successful run of the real daemon."""

from datetime import date

from ml_pipeline.operations.site import Site
from ml_pipeline_tests.daemon.proof import prove


def test_evidence_is_answered_once_although_the_daemon_dies_and_the_training_fails(scored_shop_copy: Site) -> None:
    """A hundred evaluations, a SIGKILL between the request and the end of its tick, and a training that fails first."""
    answers = prove(
        scored_shop_copy, {"e1": date(2024, 5, 20)}, deaths=["RUN_CREATED"], failures=1, evaluations=100
    )  # fmt: skip
    print(f"evaluations: {answers.evaluations} / {sum(map(len, answers.runs.values()))} runs, {answers.deaths} deaths")
    assert answers.evaluations >= 100
    assert answers.runs == {"e1": ["FAILURE", "SUCCESS"]}
    assert answers.run_keys == ["e1", "e1_2"]
    assert answers.trained == ["2024-05-20"]

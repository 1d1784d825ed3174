from typing import Any, cast

import dagster as dg

from ml_pipeline.defs.run_tags import EVIDENCE, NIGHT, in_words, tag_run


def tagged(given: dict[str, str], tags: dict[str, str]) -> dict[str, str]:
    """The tags of a real run that was started with ``given``, after ``tags`` were added."""

    @dg.op
    def adds(context: dg.OpExecutionContext) -> None:
        tag_run(cast("Any", context), tags)

    @dg.job
    def job() -> None:
        adds()

    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(instance=instance, tags=given).dagster_run
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        return dict(found.tags)


def test_a_run_is_given_what_it_was_not_started_with() -> None:
    tags = tagged({NIGHT: "2024-05-20"}, {NIGHT: "2024-05-21", "model_version": "m1", "verdict": ""})
    assert (tags[NIGHT], tags["model_version"]) == ("2024-05-20", "m1")
    assert "verdict" not in tags


def test_what_a_sensor_asked_for_is_not_called_by_hand() -> None:
    assert tagged({EVIDENCE: "e1"}, {EVIDENCE: "by_hand"})[EVIDENCE] == "e1"
    assert tagged({}, {EVIDENCE: "by_hand"})[EVIDENCE] == "by_hand"


def test_a_tag_that_is_too_long_for_the_store_is_cut() -> None:
    assert len(tagged({}, {"model_version": "x" * 999})["model_version"]) == 255


def test_nights_are_told_by_their_first_and_last() -> None:
    assert in_words(["2024-05-20"]) == "2024-05-20"
    assert in_words(["2024-05-20", "2024-05-21", "2024-05-22"]) == "2024-05-20 to 2024-05-22"

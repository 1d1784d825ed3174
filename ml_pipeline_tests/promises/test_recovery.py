"""What was killed is recorded as failed by the next start, which frees what it held; a run that lives is left alone."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from ml_pipeline.defs.instance import DEAD, IN_ORDER, reconcile
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.sensors import dead_runs
from ml_pipeline.io.locks import is_locked
from ml_pipeline.operations.recover import run_lock
from ml_pipeline_tests.processes import start_python

# A run that is held up inside a step, in a pool of one, as `dagster job execute` runs one.
RUN = """
import sys
from pathlib import Path
import dagster as dg
from ml_pipeline.defs.resources import SiteResource

@dg.op(pool="tables")
def waits(site: SiteResource):
    print("ready", flush=True)
    sys.stdin.readline()

@dg.job(name="nightly_scoring", executor_def=dg.in_process_executor)
def job():
    waits()

data = Path(sys.argv[1])
site = SiteResource(project_folder="", data=str(data), tracking_uri="", threads=1)
tags = {
    "dagster/partition": "2024-05-13", "dagster/schedule_name": "nightly", "night": "2024-05-13", "ml_pipeline/nightly": "in_order",
}
with dg.DagsterInstance.from_config(str(data / "dagster_home")) as instance:
    job.execute_in_process(instance=instance, resources={"site": site}, tags=tags)
"""
NEXT_NIGHT = {
    "dagster/partition": "2024-05-14", "dagster/schedule_name": "nightly", "night": "2024-05-14", **IN_ORDER,
}  # fmt: skip


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\nconcurrency: {pools: {default_limit: 1}}\n")
    with dg.DagsterInstance.from_config(str(home)) as made:
        made.event_log_storage.set_concurrency_slots("tables", 1)
        yield made


def start_run(data: Path) -> "Popen[str]":
    process = start_python(RUN, str(data))
    assert process.stdout is not None
    for line in process.stdout:
        if line == "ready\n":
            return process
    raise AssertionError(process.stderr.read() if process.stderr else "")


def queued(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    """A run that waits for its turn."""
    here = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("ml_pipeline"), "__repository__")
    run = dg.DagsterRun(
        "nightly_scoring", tags=tags, status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=RemoteJobOrigin(here, "nightly_scoring"),
    )  # fmt: skip
    return instance.add_run(run).run_id


def ask(instance: dg.DagsterInstance, data: Path) -> list[dg.RunRequest]:
    site = SiteResource(project_folder="", data=str(data), tracking_uri="", threads=1)
    with dg.build_sensor_context(instance=instance, resources={"site": site}) as context:
        answer = dead_runs(context)
    return answer if isinstance(answer, list) else []


def test_a_killed_run_is_failed_its_slot_is_free_and_it_is_asked_for_once_more(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with start_run(tmp_path) as process:
        (record,) = instance.get_run_records()
        run_id = record.dagster_run.run_id
        assert is_locked(run_lock(tmp_path, run_id))
        assert (reconcile(tmp_path, instance), ask(instance, tmp_path)) == ((), [])
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    stuck = instance.get_run_by_id(run_id)
    assert stuck is not None
    assert stuck.status == dg.DagsterRunStatus.STARTED
    (dead,) = reconcile(tmp_path, instance)
    assert (dead.run_id, "ended while it worked" in dead.reason) == (run_id, True)
    assert reconcile(tmp_path, instance) == ()
    failed = instance.get_run_by_id(run_id)
    assert failed is not None
    assert (failed.status, failed.tags[DEAD]) == (dg.DagsterRunStatus.FAILURE, "true")
    assert instance.event_log_storage.get_concurrency_run_ids() == set()
    assert not run_lock(tmp_path, run_id).exists()
    (again,) = ask(instance, tmp_path)
    assert (again.run_key, again.partition_key, again.job_name) == (run_id, "2024-05-13", "nightly_scoring")
    assert again.tags["ml_pipeline/attempt"] == "2"
    instance.add_run_tags(run_id, {"ml_pipeline/attempt": "3"})
    assert ask(instance, tmp_path) == []


def test_nights_that_wait_behind_one_that_died_come_after_its_next_try(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    with start_run(tmp_path) as process:
        waits = queued(instance, NEXT_NIGHT)
        by_hand = queued(instance, {"dagster/partition": "2024-05-20"})
        assert reconcile(tmp_path, instance) == ()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    asked = ask(instance, tmp_path)
    assert [request.partition_key for request in asked] == ["2024-05-13", "2024-05-14"]
    assert all(request.tags.items() >= IN_ORDER.items() for request in asked)
    statuses = {run_id: instance.get_run_by_id(run_id).status for run_id in (waits, by_hand)}  # type: ignore[union-attr]
    assert statuses == {waits: dg.DagsterRunStatus.CANCELED, by_hand: dg.DagsterRunStatus.QUEUED}


def test_a_run_that_was_recorded_as_failed_by_somebody_else_gives_its_slot_back_once_its_process_is_gone(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """As the code server does when the process of a run dies under it: it reports the failure, and the slot stays taken."""
    with start_run(tmp_path) as process:
        (record,) = instance.get_run_records()
        instance.report_run_failed(record.dagster_run, "as the code server says it")
        held = instance.event_log_storage.get_concurrency_run_ids()
        assert held == {record.dagster_run.run_id}
        reconcile(tmp_path, instance)
        assert instance.event_log_storage.get_concurrency_run_ids() == held
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    reconcile(tmp_path, instance)
    assert instance.event_log_storage.get_concurrency_run_ids() == set()

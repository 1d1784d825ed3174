"""The Dagster instance below the data root, made once, under a lock; and its runs that died without saying so."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import dagster as dg

from ml_pipeline.io.locks import exclusive_lock, is_locked
from ml_pipeline.operations.recover import RunRecord, Swept, forget_run, judge_run, run_lock, runs_with_locks, sweep
from ml_pipeline.operations.site import Site

# On a run that died: whoever asks for it once more finds it by this.
DEAD = "ml_pipeline/dead"
# Runs of nights that were asked for together: one works at a time, in the order of the queue, as each needs the landings
# before it.
IN_ORDER = {"ml_pipeline/nightly": "in_order"}

_UNENDED = (
    dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)  # fmt: skip


@dataclass(frozen=True)
class DeadRun:
    """A run that was recorded as working, and why it was recorded as failed instead."""

    run_id: str
    job: str
    reason: str


@dataclass(frozen=True)
class Recovery:
    """What a start found to be put in order; ``swept`` is None where nothing had died."""

    dead: tuple[DeadRun, ...]
    swept: Swept | None


def prepare(site: Site, dagster_home: Path) -> Recovery:
    """Make the folders and both SQLite databases, and put in order what a crash left.

    Several processes on a new database crash each other, so: a lock.
    """
    with exclusive_lock(site.lock_file("init")):
        dagster_home.mkdir(parents=True, exist_ok=True)
        target = dagster_home / "dagster.yaml"
        template = Path(__file__).parent.parent / "dagster.yaml"
        if not target.exists() or target.read_bytes() != template.read_bytes():
            copyfile(template, target)
        with open_instance(dagster_home) as instance:
            dead = reconcile(site.data, instance)
    site.registry.prepare(site.lock_file("mlflow"))
    return Recovery(dead, sweep(site) if dead else None)


def reconcile(data: Path, instance: dg.DagsterInstance) -> tuple[DeadRun, ...]:
    """Record runs that died as failed, and free the slots of pools that they, or other runs that have ended, hold.

    Dagster's own launcher has no check of liveness, and nobody watches over a run that a terminal started.
    """
    dead = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=list(_UNENDED))):
        run = record.dagster_run
        found = judge_run(data, _recorded(instance, record), now=datetime.now(UTC))
        if not found.is_dead:
            continue
        instance.add_run_tags(run.run_id, {DEAD: "true"})
        told = f"The run died: {found.reason}. What it had published stands; run it again."
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, told)
        else:
            instance.report_run_failed(run, told)
        dead.append(DeadRun(run.run_id, run.job_name, found.reason))
        if IN_ORDER.items() <= run.tags.items():
            _send_back_the_queue(instance)
    _free_slots_of_ended_runs(data, instance)
    for run_id in runs_with_locks(data):
        ended = instance.get_run_by_id(run_id)
        if (ended is None or ended.is_finished) and not is_locked(run_lock(data, run_id)):
            forget_run(data, run_id)
    return tuple(dead)


def _send_back_the_queue(instance: dg.DagsterInstance) -> None:
    """Nights that wait behind one that died are asked for anew, behind its next try: they need what it would have landed."""
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED], tags=IN_ORDER)):
        instance.add_run_tags(record.dagster_run.run_id, {DEAD: "true"})
        told = "An earlier night died. This run is asked for again, after the next try of that night."
        instance.report_run_canceled(record.dagster_run, told)


def _free_slots_of_ended_runs(data: Path, instance: dg.DagsterInstance) -> None:
    """A run whose process was killed ends without giving back its slot of a pool, and every later run would wait for it."""
    if not instance.event_log_storage.supports_global_concurrency_limits:
        return
    for run_id in instance.event_log_storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if (run is None or run.is_finished) and not is_locked(run_lock(data, run_id)):
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def _recorded(instance: dg.DagsterInstance, record: dg.RunRecord) -> RunRecord:
    run_id = record.dagster_run.run_id
    newest = instance.get_records_for_run(run_id, limit=50, ascending=False).records
    events = [entry.event_log_entry.dagster_event for entry in newest]
    processes = [event.pid for event in events if event is not None and event.pid is not None]
    return RunRecord(run_id, processes[0] if processes else None, record.update_timestamp.replace(tzinfo=UTC))


def open_instance(dagster_home: Path) -> dg.DagsterInstance:
    """The instance of ``dagster_home``, also for Dagster code that looks it up itself."""
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    return dg.DagsterInstance.get()

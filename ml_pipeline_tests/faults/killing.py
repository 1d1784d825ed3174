"""SIGKILL at random moments of ``dagster job execute``: one start puts everything in order, and one more run ends well."""

import os
import random
import signal
import time
from datetime import date, timedelta

import dagster as dg

from ml_pipeline.defs.instance import open_instance
from ml_pipeline.io.leftovers import leftovers
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.faults.bench import Bench, Installation, build_shop
from ml_pipeline_tests.faults.outcome import Outcome

UNENDED = [
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]  # fmt: skip
_LANDED_UNTIL, _FIRST, _NIGHTS = date(2024, 5, 14), date(2024, 5, 13), 12
_SEED = 7


def instance_of(site: Site) -> dg.DagsterInstance:
    return open_instance(site.data / "dagster_home")


def not_in_order(site: Site) -> list[str]:
    """What a crash has left, in words."""
    found = [f"left aside: {path.name}" for path in leftovers(site.data)]
    found += [
        f"of no commit: {path}" for table in site.tables.tables() for path in site.tables.uncommitted_files(table)
    ]
    with instance_of(site) as instance:
        runs = instance.get_run_records(dg.RunsFilter(statuses=UNENDED))
        found += [f"run {record.dagster_run.run_id} is {record.dagster_run.status.value}" for record in runs]
        held = instance.event_log_storage.get_concurrency_run_ids()
        found += [f"run {run_id} holds a slot" for run_id in held]
    return found


def last_step(site: Site, night: date) -> str:
    """The step that the newest run of ``night`` had begun last; "its start" before the first."""
    with instance_of(site) as instance:
        of_night = dg.RunsFilter(tags={"dagster/partition": str(night)})
        (record, *_) = instance.get_run_records(of_night, limit=1) or [None]
        if record is None:
            return "its start"
        events = instance.get_records_for_run(record.dagster_run.run_id, of_type=dg.DagsterEventType.STEP_START).records
        return str(events[-1].event_log_entry.step_key) if events else "its start"


def kill_nights(bench: Bench) -> tuple[Outcome, ...]:
    """Night after night: a run, its death, one start, one more run. The moments are uniform over the length of a run."""
    kills = bench.trials(full=20, quick=1)
    moments, wrong, steps = random.Random(_SEED), [], set()
    site = build_shop(bench.folder, until=_LANDED_UNTIL)
    installation = Installation.of(site)
    installation.call("init")
    began = time.monotonic()
    code = installation.start_night(_FIRST).wait(timeout=600)
    length = time.monotonic() - began
    wrong += [f"an undisturbed run ended with {code}"] if code else []
    for number in range(kills):
        night = _FIRST + timedelta(days=1 + number % (_NIGHTS - 1))
        run = installation.start_night(night)
        time.sleep(moments.uniform(0, length))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        steps.add(last_step(site, night))
        installation.call("recover")
        found = not_in_order(site)
        again = installation.start_night(night).wait(timeout=600)
        found += [f"run again, it ended with {again}"] if again else []
        wrong += [f"kill {number}, night {night}: {words}" for words in [*found, *not_in_order(site)]]
        bench.tell(number + 1, kills, len(wrong))
    details = f"killed in {len(steps)} different steps; a run takes {length:.0f} s; seed {_SEED}"
    return (Outcome(9, "SIGKILL of dagster job execute, one start, one more run", kills, tuple(wrong), details),)

"""Kills runs at random moments and sees whether one start puts everything in order.

``python -m ml_pipeline_tests.faults.killing PROJECT DATA --rounds 20 --from 2013-10-01`` works on copies of a finished
installation and prints how many kills, and in how many of them something was left wrong.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from ml_pipeline.io.leftovers import leftovers
from ml_pipeline.io.table_store import TableStore
from ml_pipeline_tests.processes import ROOT

UNENDED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


@dataclass(frozen=True)
class Installation:
    """A use case and a data root, as a shell would set them."""

    project: Path
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "ML_PIPELINE_PROJECT": str(self.project), "ML_PIPELINE_DATA": str(self.data),
            "DAGSTER_HOME": str(self.data / "dagster_home"), "MLFLOW_TRACKING_URI": f"sqlite:///{self.data / 'mlflow.db'}",
        }  # fmt: skip

    def start_night(self, night: date, *, job: str = "nightly_scoring") -> subprocess.Popen[bytes]:
        """``dagster job execute`` in a process group of its own."""
        command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "ml_pipeline.definitions", "-j", job, "--tags",
                   json.dumps({"dagster/partition": str(night)})]  # fmt: skip
        log = (self.data / "night.log").open("ab")
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True)

    def recover(self) -> str:
        """What one start, with its sweep, says."""
        command = [sys.executable, "-m", "ml_pipeline.cli", "recover"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, text=True, capture_output=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def open_instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.data / "dagster_home"))

    def wrong(self) -> list[str]:
        """What is not in order, in words."""
        found = [f"left aside: {path.name}" for path in leftovers(self.data)]
        store = TableStore(self.data)
        found += [f"of no commit: {path}" for table in store.tables() for path in store.uncommitted_files(table)]
        with self.open_instance() as instance:
            runs = instance.get_run_records(dg.RunsFilter(statuses=UNENDED))
            found += [f"run {record.dagster_run.run_id} is {record.dagster_run.status.value}" for record in runs]
            held = instance.event_log_storage.get_concurrency_run_ids()
            found += [f"run {run_id} holds a slot" for run_id in held]
        return found


def last_step(installation: Installation, night: date) -> str:
    """The step that the newest run of ``night`` had begun last; "" before the first."""
    with installation.open_instance() as instance:
        of_night = dg.RunsFilter(tags={"dagster/partition": str(night)})
        (record, *_) = instance.get_run_records(of_night, limit=1) or [None]
        if record is None:
            return ""
        events = instance.get_records_for_run(record.dagster_run.run_id, of_type=dg.DagsterEventType.STEP_START).records
        return str(events[-1].event_log_entry.step_key) if events else ""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("data", type=Path, help="a finished installation; it is copied, never written to")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--from", dest="first", type=date.fromisoformat, required=True, help="the first night to run")
    parser.add_argument("--seconds", type=float, default=20.0, help="a run is killed at the latest after so long")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    copy = Installation(options.project.resolve(), options.data.resolve().with_name(f"{options.data.name}_killed"))
    shutil.copytree(options.data, copy.data)
    moments, wrong = random.Random(options.seed), 0
    for number in range(options.rounds):
        night = options.first + timedelta(days=number)
        run = copy.start_night(night)
        time.sleep(moments.uniform(0, options.seconds))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        step = last_step(copy, night)
        told = copy.recover().splitlines()[-1]
        found = copy.wrong()
        again = copy.start_night(night)
        found += [f"run again, it ended with {again.returncode}"] if again.wait(timeout=600) else []
        found += copy.wrong()
        wrong += bool(found)
        print(
            f"{night} killed in {step or 'its start'}: {told}{'; WRONG: ' + '; '.join(found) if found else ''}",
            flush=True,
        )
    print(f"kills: {options.rounds} / {wrong} (seed {options.seed})")
    shutil.rmtree(copy.data)


if __name__ == "__main__":
    main()

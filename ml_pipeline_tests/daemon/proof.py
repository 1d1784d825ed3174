"""What the real daemon makes of evidence: each is answered once, however often it looks, dies, or the training fails."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pyarrow as pa

from ml_pipeline.contracts.tables import DECISION_SCHEMA
from ml_pipeline.defs.instance import open_instance, prepare
from ml_pipeline.defs.run_tags import EVIDENCE
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night
from ml_pipeline.operations.decide import DECISIONS
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.trainings import TRAININGS
from ml_pipeline_tests.daemon.launcher import HURRIED
from ml_pipeline_tests.listening import family_of
from ml_pipeline_tests.processes import ROOT

_EVALUATED = f"Checking for new runs for sensor: {HURRIED}"
# About ten minutes of looking.
_MOST_EVALUATIONS = 3_000
_FAILED, _SUCCEEDED = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS


@dataclass
class Answers:
    """What came of the evidence.

    Attributes:
        evaluations: of the sensor, by all daemons together.
        deaths: of the daemon, by SIGKILL, between the request of a run and the end of its tick.
        runs: how every run ended, by evidence, oldest first.
        run_keys: of these runs.
        trained: nights of the models that were made.
    """

    evaluations: int = 0
    deaths: int = 0
    runs: dict[str, list[str]] = field(default_factory=dict)
    run_keys: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)


class HurriedDaemon:
    """The daemon in a process of its own, with its log: whoever follows it waits for what it says, not for a clock."""

    def __init__(self, site: Site, home: Path, kill_at: str = "") -> None:
        environment = os.environ | {
            "ML_PIPELINE_PROJECT": str(site.sql.folder), "ML_PIPELINE_DATA": str(site.data), "DAGSTER_HOME": str(home),
            "ML_PIPELINE_THREADS": "1", "KILL_AT": kill_at, "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "ml_pipeline_tests.daemon.launcher", "run", "-w", str(ROOT / "workspace.yaml")]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.log: list[str] = []

    def evaluations(self) -> Iterator[None]:
        """One for each time that the sensor is evaluated, until the daemon ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.append(line)
            if _EVALUATED in line:
                yield
            if self._process.poll() is not None:
                return

    def killed_itself(self) -> bool:
        return self._process.wait(timeout=60) == -signal.SIGKILL

    def end(self) -> None:
        """Kill it, with its code server."""
        for process in family_of(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()


def ask_for(site: Site, night: Night, evidence: str) -> None:
    """Publish the verdict "retrain" for ``night``, as the policy would."""
    row = {"score_date": night, "model_version": "m", "drifted_share": 0.9, "verdict": "retrain", "evidence_id": evidence,
           "reasons": "asked for by a test"}  # fmt: skip
    rows = pa.Table.from_pylist([row], schema=DECISION_SCHEMA)
    site.tables.publish(DECISIONS, rows, {night: NightInputs(evidence, {})}, key=["model_version"])


def prove(site: Site, evidence: dict[str, Night], *, deaths: Sequence[str], failures: int, evaluations: int) -> Answers:
    """Let the daemon answer ``evidence``, one after the other.

    It dies at each of ``deaths`` while it answers, the first ``failures`` trainings for each evidence fail, and the sensor is
    evaluated at least ``evaluations`` times.
    """
    home = site.data / "dagster_home"
    prepare(site, home)
    before, answers = len(site.ledger(TRAININGS).entries()), Answers()
    with open_instance(home) as instance:
        for name, night in evidence.items():
            ask_for(site, night, name)
            _answer(site, instance, answers, name, deaths, failures, evaluations if name == [*evidence][-1] else 0)
        for name in evidence:
            runs = _runs(instance, name)
            answers.runs[name] = [run.status.value for run in runs]
            answers.run_keys += [run.tags["dagster/run_key"] for run in runs]
    answers.trained = [entry["trained_on"] for entry in site.ledger(TRAININGS).entries()[before:]]
    return answers


def _answer(
    site: Site, instance: dg.DagsterInstance, answers: Answers, evidence: str, deaths: Sequence[str], failures: int,
    evaluations: int,
) -> None:  # fmt: skip
    labels, away = site.data / "labels", site.data / "labels_away"
    if failures:
        labels.rename(away)
    for place in deaths:
        daemon = HurriedDaemon(site, site.data / "dagster_home", place)
        answers.evaluations += sum(1 for _ in daemon.evaluations())
        assert daemon.killed_itself(), "".join(daemon.log[-40:])
        answers.deaths += 1
    daemon = HurriedDaemon(site, site.data / "dagster_home")
    try:
        for _ in daemon.evaluations():
            answers.evaluations += 1
            statuses = [run.status for run in _runs(instance, evidence)]
            if away.exists() and statuses.count(_FAILED) == failures:
                away.rename(labels)
            if _SUCCEEDED in statuses and answers.evaluations >= evaluations:
                return
            assert answers.evaluations < _MOST_EVALUATIONS, f"{evidence} is not answered, its runs: {statuses}"
        raise AssertionError("the daemon ended: " + "".join(daemon.log[-40:]))
    finally:
        daemon.end()


def _runs(instance: dg.DagsterInstance, evidence: str) -> list[dg.DagsterRun]:
    """Oldest first."""
    return [*reversed(instance.get_runs(dg.RunsFilter(tags={EVIDENCE: evidence})))]

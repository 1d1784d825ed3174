"""Eight processes that begin at once on an empty data root: all of them start, and both stores are whole."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from ml_pipeline_tests.faults.bench import Bench, Installation
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.processes import release, start_python

_PROCESSES = 8
_START = """
import sys
import dagster, mlflow
from ml_pipeline.cli.main import main
print("ready", flush=True)
sys.stdin.readline()
main(["init"])
"""


def start_at_once(bench: Bench) -> tuple[Outcome, ...]:
    """Round after round on a new root."""
    rounds, wrong = bench.trials(full=10, quick=1), []
    processes = bench.trials(full=_PROCESSES, quick=3)
    for number in range(rounds):
        data = bench.folder / str(number)
        installation = Installation(bench.shop.sql.folder, data)
        started = [start_python(_START, environment=installation.environment) for _ in range(processes)]
        release(started)
        for process in started:
            out, error = process.communicate(timeout=600)
            if process.returncode or f"ready: {data}" not in out:
                wrong.append(f"round {number}: {error.strip()[-300:]}")
        wrong += [f"round {number}: {words}" for words in _damages(data)]
        shutil.rmtree(data)
    return (Outcome(11, "processes that begin at once on an empty data root", rounds * processes, tuple(wrong)),)


def _damages(data: Path) -> list[str]:
    found = []
    for path in (data / "mlflow.db", *sorted((data / "dagster_home").rglob("*.db"))):
        with closing(sqlite3.connect(path)) as connection:
            (told,) = connection.execute("pragma integrity_check").fetchone()
            versions = connection.execute("select count(*) from alembic_version").fetchone()
        if (told, versions) != ("ok", (1,)):
            found.append(f"{path.name}: {told}, {versions} versions")
    return found

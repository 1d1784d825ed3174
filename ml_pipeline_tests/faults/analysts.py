"""Analysts who hold the catalog open, open it for writing, or die and leave its log: the pipeline publishes on."""

import os
import shutil
import signal
from pathlib import Path

import duckdb

from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.faults.publishing import publish_generation
from ml_pipeline_tests.processes import start_python

# As root no mode of a file keeps anybody out: the worst case.
_ANALYST = """
import sys, duckdb
path, how = sys.argv[1:]
connection = duckdb.connect(path, read_only=how == "reads")
connection.sql("select count(*) from scores").fetchall()
if how == "writes":
    connection.execute("create table mine as select 1 as one")
if how == "two notebooks":
    connection.execute("create or replace view mine as select 1 as one")
    again = duckdb.connect(path)
    again.execute("create table other as select 2 as two")
print("ready", flush=True)
sys.stdin.readline()
"""
HOWS = ("reads", "writes", "writes and is killed", "two notebooks")


def stand_in_the_way(bench: Bench) -> tuple[Outcome, ...]:
    """Each analyst has the catalog open while the next generation is published, and one more after it."""
    rounds, wrong = bench.trials(full=25, quick=1), []
    for how in HOWS:
        for number in range(rounds):
            folder = bench.folder / f"{how}_{number}".replace(" ", "_")
            folder.mkdir()
            wrong += [f"{how}, round {number}: {words}" for words in _round(folder, how)]
            shutil.rmtree(folder)
    trials = rounds * len(HOWS)
    return (Outcome(17, "publications while an analyst holds, writes or poisons the catalog", trials, tuple(wrong)),)


def _round(folder: Path, how: str) -> list[str]:
    publish_generation(folder, 1)
    analyst = start_python(_ANALYST, str(folder / "warehouse.duckdb"), how.removesuffix(" and is killed"))
    assert analyst.stdout is not None
    assert analyst.stdout.readline() == "ready\n", analyst.communicate()[1]
    wrong = []
    if how == "writes and is killed":
        os.kill(analyst.pid, signal.SIGKILL)
        analyst.wait()
    for generation in (2, 3):
        try:
            publish_generation(folder, generation)
        except Exception as error:  # noqa: BLE001 - whatever stops a publication is the violation
            wrong.append(f"the pipeline was stopped: {error}")
        wrong += _seen_by_another(folder / "warehouse.duckdb", generation)
    analyst.kill()
    analyst.communicate()
    return wrong + _seen_by_another(folder / "warehouse.duckdb", 3)


def _seen_by_another(warehouse: Path, generation: int) -> list[str]:
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            seen = connection.sql("select min(generation), max(generation) from scores").fetchall()
    except duckdb.Error as error:
        return [f"another analyst was refused: {str(error).splitlines()[0]}"]
    return [] if seen == [(generation, generation)] else [f"another analyst saw {seen}, not {generation}"]

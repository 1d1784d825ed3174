"""The README's first promise: `make run` on the real flights, watched by an analyst, then run again."""

import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from deltalake import DeltaTable
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from ml_pipeline.io.connectors.nycflights13 import NycFlightsConnector

_ROOT = Path(__file__).parents[2]
_ONE_NIGHT = "2013-08-15"


@dataclass
class DefaultRun:
    data: Path
    output: str
    counts_seen: list[tuple[int, int]]
    reader_errors: list[str]

    def ask(self, sql: str) -> pd.DataFrame:
        with duckdb.connect(str(self.data / "warehouse.duckdb"), read_only=True) as connection:
            return connection.sql(sql).df()

    def versions(self) -> dict[str, int]:
        logs = sorted(self.data.rglob("_delta_log"))
        return {str(log.parent.relative_to(self.data)): DeltaTable(log.parent).version() for log in logs}


def _environment(data: Path) -> dict[str, str]:
    return {**os.environ, "ML_PIPELINE_DATA": str(data), "DAGSTER_HOME": str(data / "dagster_home")}


def _run(data: Path) -> str:
    command = [sys.executable, "-m", "ml_pipeline.cli", "run"]
    done = subprocess.run(command, env=_environment(data), cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def _watch(data: Path, stop: threading.Event, seen: list[tuple[int, int]], errors: list[str]) -> None:
    """An analyst who asks again and again, from the first catalog to the end of the run."""
    while not stop.wait(0.1):
        if not (data / "warehouse.duckdb").exists():
            continue
        code = (
            "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); "
            "print(*c.execute('select count(*), count(distinct score_date) from scores').fetchall()[0])"
        )
        # A process of its own: within one process DuckDB hands out the database that is already open.
        command = [sys.executable, "-c", code, str(data / "warehouse.duckdb")]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            errors.append(answer.stderr)
        else:
            rows, nights = answer.stdout.split()
            seen.append((int(rows), int(nights)))


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> DefaultRun:
    data = tmp_path_factory.mktemp("default_run")
    seen: list[tuple[int, int]] = []
    errors: list[str] = []
    stop = threading.Event()
    analyst = threading.Thread(target=_watch, args=(data, stop, seen, errors))
    analyst.start()
    try:
        output = _run(data)
    finally:
        stop.set()
        analyst.join()
    return DefaultRun(data, output, seen, errors)


def _flights() -> pd.DataFrame:
    return NycFlightsConnector()._flights


@pytest.mark.timeout(900)
def test_every_scheduled_flight_of_the_92_nights_is_scored_once(default_run: DefaultRun) -> None:
    flights = _flights()
    day = flights["departure_date"]
    wanted = flights[(day >= "2013-07-01") & (day <= "2013-09-30")].groupby("departure_date").size()
    key = "score_date, carrier, flight, origin, scheduled_departure_at"
    found = default_run.ask(
        f"select score_date, count(*) as rows, count(distinct ({key})) as keys from scores group by 1 order by 1"
    )
    assert found["rows"].tolist() == found["keys"].tolist() == wanted.tolist()
    assert len(found) == 92


def test_an_analyst_never_saw_a_part_of_it(default_run: DefaultRun) -> None:
    print(f"{len(default_run.counts_seen)} trials / {len(default_run.reader_errors)} violations")
    assert default_run.reader_errors == []
    assert set(default_run.counts_seen) <= {(0, 0), (86326, 92)}
    assert (86326, 92) in default_run.counts_seen


def test_landing_keeps_every_row(default_run: DefaultRun) -> None:
    assert "rows quarantined          1" in default_run.output
    known = default_run.ask("select count(*) as rows from weather_observations")["rows"][0]
    quarantined = default_run.ask("select source, value from quarantine")
    assert known + len(quarantined) == len(NycFlightsConnector()._weather_observations)
    assert quarantined.to_dict("records") == [{"source": "weather_observations", "value": "1048.36058"}]


def test_the_model_beats_the_baseline_on_the_scored_nights(default_run: DefaultRun) -> None:
    rows = default_run.ask("select is_disrupted, probability, baseline_probability from scored_outcomes")
    labels = rows["is_disrupted"].to_numpy()
    model, baseline = rows["probability"], rows["baseline_probability"].clip(1e-6, 1 - 1e-6)
    assert len(rows) == 86326
    assert log_loss(labels, model) < log_loss(labels, baseline)
    assert brier_score_loss(labels, model) < brier_score_loss(labels, baseline)
    assert roc_auc_score(labels, model) > roc_auc_score(labels, baseline)
    assert average_precision_score(labels, model) > average_precision_score(labels, baseline)


def test_the_model_beats_the_baseline_on_its_test_block(default_run: DefaultRun) -> None:
    (path,) = default_run.data.glob("models/2013-07-01-*/metrics.json")
    test = json.loads(path.read_text())["test"]
    model, baseline = test["model"], test["baseline"]
    assert model["log_loss"] < baseline["log_loss"]
    assert model["brier"] < baseline["brier"]
    assert model["roc_auc"] > baseline["roc_auc"]
    assert model["average_precision"] > baseline["average_precision"]


def test_the_queries_of_the_readme_have_answers(default_run: DefaultRun) -> None:
    queries = re.findall(r"```sql\n(.*?)```", (_ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(queries) == 10
    for query in queries:
        assert len(default_run.ask(query)), query


def test_a_second_run_changes_nothing_and_says_so(default_run: DefaultRun) -> None:
    before = default_run.versions()
    output = _run(default_run.data)
    assert "nothing was changed" in output
    assert default_run.versions() == before


def test_a_night_again_alone_is_the_night_of_the_range(default_run: DefaultRun) -> None:
    before = default_run.versions()
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "ml_pipeline.definitions", "-j", "nightly_scoring",
               "--tags", json.dumps({"dagster/partition": _ONE_NIGHT})]  # fmt: skip
    done = subprocess.run(
        command, env=_environment(default_run.data), cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    after = default_run.versions()
    # The reference tables learn that this night has nothing new of theirs; no other table gets a commit.
    assert {table for table in after if after[table] != before[table]} <= {
        f"{kind}/{source}" for kind in ("raw", "quarantine") for source in ("aircraft", "airports", "airlines")
    }

import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from ml_pipeline.defs import event_log
from ml_pipeline.defs.event_log import OpenSqliteEventLog

NIGHTS = dg.StaticPartitionsDefinition(["2024-05-05", "2024-05-06", "2024-05-07"])
TEMPLATE = Path(event_log.__file__).parents[1] / "dagster.yaml"


@dg.asset(partitions_def=NIGHTS, backfill_policy=dg.BackfillPolicy.single_run())
def orders() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dagster.yaml").write_bytes(TEMPLATE.read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as found:
        yield found


def run(instance: dg.DagsterInstance, first: str, last: str) -> str:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return dg.materialize([orders], instance=instance, tags=tags).run_id


def test_the_instance_keeps_its_events_where_dagsters_own_storage_reads_them(
    instance: dg.DagsterInstance, home: Path
) -> None:
    assert isinstance(instance.event_log_storage, OpenSqliteEventLog)
    run_id = run(instance, "2024-05-05", "2024-05-07")
    theirs = SqliteEventLogStorage(str(home / "history" / "runs"))
    mine = instance.event_log_storage
    assert len(theirs.get_logs_for_run(run_id)) == len(mine.get_logs_for_run(run_id)) > 3
    assert theirs.get_materialized_partitions(orders.key) == {"2024-05-05", "2024-05-06", "2024-05-07"}


def test_what_dagsters_own_storage_wrote_is_found(home: Path) -> None:
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(home)) as before:
        run_id = run(before, "2024-05-05", "2024-05-05")
    (home / "dagster.yaml").write_bytes(TEMPLATE.read_bytes())
    with dg.DagsterInstance.from_config(str(home)) as after:
        assert after.get_run_by_id(run_id) is not None
        assert len(after.all_logs(run_id)) > 3
        run(after, "2024-05-06", "2024-05-06")
        assert after.get_materialized_partitions(orders.key) == {"2024-05-05", "2024-05-06"}


def test_whoever_watches_a_run_is_told_of_what_another_process_writes(instance: dg.DagsterInstance, home: Path) -> None:
    """The UI follows a run by the modification of its file."""
    run_id = run(instance, "2024-05-05", "2024-05-05")
    event = instance.all_logs(run_id)[0]
    watching, told = OpenSqliteEventLog(str(home / "history" / "runs")), threading.Event()
    watching.watch(run_id, None, lambda *_: told.set())
    try:
        writing = OpenSqliteEventLog(str(home / "history" / "runs"))
        writing.store_event(event)
        assert told.wait(20)
    finally:
        watching.dispose()
        writing.dispose()


def test_the_files_of_many_runs_are_not_all_held_open(
    instance: dg.DagsterInstance, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "_MOST_OPEN_FILES", 2)
    storage = OpenSqliteEventLog(str(home / "history" / "runs"))
    runs = [run(instance, night, night) for night in ("2024-05-05", "2024-05-06", "2024-05-07")]
    assert all(len(storage.get_logs_for_run(run_id)) > 3 for run_id in [*runs, *runs])
    assert len(storage._engines) == 2
    storage.wipe()
    assert storage.get_logs_for_run(runs[0]) == []

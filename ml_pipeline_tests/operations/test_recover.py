import os
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from ml_pipeline.io.locks import is_locked, shared_lock
from ml_pipeline.operations.recover import RunRecord, hold_run_lock, judge_run, run_lock, runs_with_locks, sweep
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import start_python

NOW = datetime.now(UTC)
RUN = "0b4f1c9e-0000-4000-8000-000000000001"
WORKER = """
import sys
from pathlib import Path
from ml_pipeline.operations.recover import hold_run_lock
hold_run_lock(Path(sys.argv[1]), sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[int]:
    with start_python(WORKER, str(tmp_path), RUN) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.kill()


def test_a_run_lives_with_its_process_and_dies_with_it(tmp_path: Path, worker: int) -> None:
    record = RunRecord(RUN, worker, datetime.now(UTC))
    in_another_container = RunRecord(RUN, 2**22 - 1, NOW)
    assert not judge_run(tmp_path, record, now=NOW).is_dead
    assert not judge_run(tmp_path, in_another_container, now=NOW + timedelta(days=1)).is_dead
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    found = judge_run(tmp_path, record, now=NOW)
    assert (found.is_dead, found.reason) == (True, f"process {worker} ended while it worked, without a word")


def test_before_it_has_a_lock_its_process_answers_for_it(tmp_path: Path) -> None:
    living = os.getpid()
    assert not judge_run(tmp_path, RunRecord(RUN, living, NOW), now=NOW + timedelta(days=1)).is_dead
    # The number was given to this process long after the run's own process had written.
    assert judge_run(tmp_path, RunRecord(RUN, living, NOW - timedelta(days=3000)), now=NOW).is_dead
    assert judge_run(tmp_path, RunRecord(RUN, 2**22 - 1, NOW), now=NOW).is_dead


@pytest.mark.parametrize(("minutes", "is_dead"), [(0, False), (4, False), (6, True)])
def test_a_run_without_an_event_is_given_time(tmp_path: Path, minutes: int, is_dead: bool) -> None:
    run = RunRecord(RUN, None, NOW - timedelta(minutes=minutes))
    assert judge_run(tmp_path, run, now=NOW).is_dead is is_dead


def test_a_process_that_works_on_the_next_run_lets_the_last_one_go(tmp_path: Path) -> None:
    other = RUN.replace("1", "2")
    hold_run_lock(tmp_path, RUN)
    hold_run_lock(tmp_path, RUN)
    assert is_locked(run_lock(tmp_path, RUN))
    hold_run_lock(tmp_path, other)
    assert runs_with_locks(tmp_path) == [other]
    assert is_locked(run_lock(tmp_path, other))


@pytest.mark.parametrize("run_id", ["../../x", "", "a/b", "a" * 65, "a.b", "x\n"])
def test_what_is_no_run_id_names_no_file(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(ValueError, match="is not a run id"):
        run_lock(tmp_path, run_id)


def test_what_no_commit_names_is_removed_and_nothing_else(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    before = {path for path in site.data.rglob("*") if path.is_file() and "locks" not in path.parts}
    (folder, *_) = {path.parent for path in site.tables.files("scores")}
    left = [folder / "part-1.parquet", folder / "part-2.parquet#1", site.data / "scores" / "_delta_log" / "1.json#1",
            site.data / "labels" / "score_date=2031-01-01" / "part.parquet"]  # fmt: skip
    DeltaTable(site.data / "scores").create_checkpoint()
    (checkpoint,) = (site.data / "scores" / "_delta_log").glob("*.checkpoint.parquet")
    for path in left:
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(site.tables.files("scores")[0], path)
    with shared_lock(site.tables.publishing_lock):
        found = sweep(site)
        assert (found.is_whole, found.uncommitted) == (False, ())
    found = sweep(site)
    assert (found.is_whole, set(found.uncommitted), found.is_catalog_new) == (True, set(left), False)
    assert not left[-1].parent.exists()
    after = {path for path in site.data.rglob("*") if path.is_file() and "locks" not in path.parts}
    assert after == before | {checkpoint, checkpoint.with_name("_last_checkpoint")}


def test_a_catalog_that_missed_the_newest_commit_is_written_again(scored_shop_copy: Site) -> None:
    (scored_shop_copy.data / "warehouse.duckdb").unlink()
    assert sweep(scored_shop_copy).is_catalog_new
    assert not sweep(scored_shop_copy).is_catalog_new

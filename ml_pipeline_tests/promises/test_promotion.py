"""Promotion and rollback under concurrency and kills: the best is champion, the alias follows, readers see no anomaly."""

import json
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest

from ml_pipeline.operations.promote import PROMOTIONS, current_champion, follow_ledger, promote_if_better
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED, copy_of, open_test_site
from ml_pipeline_tests.faults.promoting import Contest, alias_of, count_rounds, set_up
from ml_pipeline_tests.processes import start_python

# More with `make faults`.
ROUNDS = 2


@pytest.fixture(scope="module")
def contest(
    built_shop: Site, _shop_template: Path, mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Contest:
    folder = tmp_path_factory.mktemp("contest")
    project = Path(shutil.copytree(_shop_template, folder / "shop_returns"))
    shutil.copytree(built_shop.data, folder / "data")
    shutil.copyfile(mlflow_template, folder / "data" / "mlflow.db")
    return set_up(open_test_site(project, folder / "data"))


def test_of_three_trainers_that_promote_at_once_the_best_is_champion(contest: Contest) -> None:
    count = count_rounds(contest, ROUNDS)
    print(f"promotion: the best of three is champion in {count.right} / {count.rounds} rounds; {count.wrong}")
    assert count.wrong == ()


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from ml_pipeline.io.mlflow_registry import MlflowRegistry
from ml_pipeline.operations.promote import promote_if_better
from ml_pipeline_tests.conftest import open_test_site
whole = MlflowRegistry.set_alias
def set_alias(registry, alias, version):
    if alias == "champion":
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(registry, alias, version)
MlflowRegistry.set_alias = set_alias
promote_if_better(open_test_site(Path(sys.argv[1]), Path(sys.argv[2])), sys.argv[3], date.fromisoformat(sys.argv[4]))
"""


def test_the_alias_follows_after_a_kill_between_ledger_and_alias(contest: Contest, tmp_path: Path) -> None:
    site = copy_of(contest.site, contest.site.sql.folder, tmp_path / "data")
    for path in site.ledger(PROMOTIONS).paths():
        path.unlink()
    (weak, *_), best = contest.nights, contest.best
    promote_if_better(site, weak, contest.nights[weak])
    killed = start_python(KILLED, str(site.sql.folder), str(site.data), best, str(contest.nights[best]))
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert (current_champion(site), alias_of(site.registry, "champion")) == (best, weak)
    again = promote_if_better(site, best, contest.nights[best])
    assert (again.is_new, again.verdict.is_promoted) == (False, True)
    assert alias_of(site.registry, "champion") == best
    assert len(site.ledger(PROMOTIONS).entries()) == 2
    site.registry.set_alias("champion", weak)
    follow_ledger(site)
    assert alias_of(site.registry, "champion") == best


READER = """
import json, sys, time
import duckdb
seen, errors = [], []
print("ready", flush=True)
sys.stdin.readline()
until = None
while until is None or time.monotonic() < until:
    if until is None and not sys.stdin.closed and __import__("select").select([sys.stdin], [], [], 0)[0]:
        until = time.monotonic() + 0.2
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as connection:
            rows, numbers = connection.execute(
                "select (select count(*) || ' ' || count(distinct score_date) from scores), (select max(number) from promotions)"
            ).fetchone()
        seen.append((rows, numbers))
    except duckdb.Error as error:
        errors.append(str(error))
print(json.dumps([seen, errors]))
"""
ROLLBACK = "import sys; from ml_pipeline.cli.main import entry; sys.argv[0] = 'ml-pipeline'; entry()"


def test_a_rollback_is_a_matter_of_seconds_and_readers_see_no_anomaly(contest: Contest, tmp_path: Path) -> None:
    """Measured in seconds of a processor: those of the clock depend on who else is at work."""
    site = copy_of(contest.site, contest.site.sql.folder, tmp_path / "data")
    for path in site.ledger(PROMOTIONS).paths():
        path.unlink()
    for version in (next(iter(contest.nights)), contest.best):
        assert promote_if_better(site, version, contest.nights[version]).verdict.is_promoted
    score(site, SHOP_SCORED)
    reader = start_python(READER, str(site.data / "warehouse.duckdb"))
    assert reader.stdout is not None and reader.stdin is not None
    assert reader.stdout.readline() == "ready\n"
    reader.stdin.write("go\n")
    reader.stdin.flush()
    environment = {
        "ML_PIPELINE_DATA": str(site.data), "ML_PIPELINE_PROJECT": str(site.sql.folder),
        "MLFLOW_TRACKING_URI": site.tracking_uri,
    }  # fmt: skip
    began, before = time.monotonic(), _children_seconds()
    process = start_python(ROLLBACK, "rollback", "--reason", "it misses storms", environment=environment)
    out, error = process.communicate(timeout=120)
    took, worked = time.monotonic() - began, _children_seconds() - before
    seen, errors = json.loads(reader.communicate("stop\n", timeout=60)[0])
    print(f"rollback: {took:.1f} s, {worked:.1f} s of a processor; {len(seen)} reads, {len(errors)} errors")
    assert process.returncode == 0, error
    assert "is champion again from night" in out
    assert worked < 5
    assert errors == []
    assert len({rows for rows, _ in seen}) == 1
    numbers = [number for _, number in seen]
    assert numbers == sorted(numbers)
    assert {2, 3} <= set(numbers)
    assert alias_of(site.registry, "champion") == current_champion(site) != contest.best


def _children_seconds() -> float:
    """Processor time of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

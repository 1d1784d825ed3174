"""A replay is what would have happened: the same tables as the nightly job gives, incidents noticed, nothing twice."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from ml_pipeline.domain.replay_policies import POLICIES, policy_named
from ml_pipeline.io.forked_root import fork_root
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.operations.replay_roots import ReplayRoots
from ml_pipeline.operations.run_replay import REPLAY, require_span, run_replay, stale_replay
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import ROOT
from ml_pipeline_tests.shop_replay import FIRST, LAST, with_incidents, with_replay

COMPARED = (
    "scores", "monitoring/performance", "monitoring/calibration", "monitoring/drift", "monitoring/expectations",
    "monitoring/retraining_decisions", "monitoring/late_arrivals",
)  # fmt: skip


def contents(data: Path, table: str) -> dict[date, str]:
    published = TableStore(data).published(table)
    return {night: found.content_hash for night, found in published.items() if FIRST <= night <= LAST}


def entries(data: Path, ledger: str) -> list[tuple[str, bool]]:
    found = Site.ledger(_At(data), ledger).entries()  # type: ignore[arg-type]
    return [(entry["challenger"], entry["is_promoted"]) for entry in found]


class _At:
    def __init__(self, data: Path) -> None:
        self.data = data


def operate(site: Site, data: Path) -> None:
    """The nights through the Dagster job and the sensor."""
    environment = os.environ | {
        "ML_PIPELINE_PROJECT": str(site.sql.folder), "ML_PIPELINE_DATA": str(data),
        "MLFLOW_TRACKING_URI": f"sqlite:///{data / 'mlflow.db'}",
    }  # fmt: skip
    for command in (
        ["-m", "ml_pipeline.cli", "init"],
        ["-m", "ml_pipeline_tests.operated_nights", str(FIRST), str(LAST)],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            text=True,
            capture_output=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]


def test_the_replay_gives_the_tables_of_the_nightly_job(trainable_shop: Site, tmp_path: Path) -> None:
    site = with_replay(trainable_shop)
    roots = ReplayRoots(site, require_span(site))
    assert roots.make_start("clean") == FIRST
    fork_root(roots.folder("clean", "start"), tmp_path / "operated")
    roots.run("clean", policy_named("drift"))
    operate(site, tmp_path / "operated")
    replayed = roots.folder("clean", "drift")
    for table in COMPARED:
        assert contents(replayed, table) == contents(tmp_path / "operated", table), table
        assert len(contents(replayed, table)) == 14, table
    judged = entries(replayed, "promotions")
    assert judged == entries(tmp_path / "operated", "promotions")
    assert len(judged) > 1, "the policy asked for no model: nothing was compared"

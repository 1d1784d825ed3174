"""A replay is what would have happened: the same tables as the nightly job gives, incidents noticed, nothing twice."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb

from ml_pipeline.domain.replay_policies import policy_named
from ml_pipeline.io.forked_root import fork_root
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.replay_roots import ReplayRoots
from ml_pipeline.operations.run_replay import REPLAY, require_span, run_replay, stale_replay
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import ROOT
from ml_pipeline_tests.shop_replay import FIRST, LAST, with_incidents, with_replay

COMPARED = (
    "scores", "monitoring/performance", "monitoring/slice_performance", "monitoring/calibration", "monitoring/estimates",
    "monitoring/drift", "monitoring/prediction_drift", "monitoring/expectations", "monitoring/retraining_decisions",
    "monitoring/late_arrivals",
)  # fmt: skip


def contents(data: Path, table: str) -> dict[date, str]:
    published = TableStore(data).published(table)
    return {night: found.content_hash for night, found in published.items() if FIRST <= night <= LAST}


def judgements(data: Path) -> list[tuple[str, bool]]:
    found = Ledger(data / "ledgers" / PROMOTIONS).entries()
    return [(entry["challenger"], entry["is_promoted"]) for entry in found]


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
            check=False,
            timeout=400,
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
        assert len(contents(replayed, table)) == 8, table
    judged = judgements(replayed)
    assert judged == judgements(tmp_path / "operated")
    assert len(judged) > 1, "the policy asked for no model: nothing was compared"


def test_incidents_are_noticed_policies_compared_and_a_second_replay_changes_nothing(trainable_shop: Site) -> None:
    site = with_incidents(trainable_shop)
    before = {table: site.tables.version(table) for table in site.tables.tables()}
    policies = [policy_named("drift"), policy_named("never")]
    assert stale_replay(site, policies) == [FIRST, LAST]
    replayed = run_replay(site, policies)
    report = replayed.report
    assert {one.name: one.found for one in report.incidents} == {"no_returns": "missing_labels", "cents": "bad_data"}
    assert all(one.nights_to_detection in (0, 1) for one in report.incidents), report.incidents
    drift, never = report.clean
    assert [len(year.nights) for year in report.clean] == [8, 8]
    assert drift.rows == never.rows == sum(night.rows for night in never.nights) > 0
    assert (never.trainings, len(never.models)) == (0, 1)
    assert drift.trainings > 0
    assert drift.saved["never"].value == never.cost - drift.cost == -never.saved["drift"].value
    assert never.cost == sum(night.cost for night in never.nights)

    assert {table: site.tables.version(table) for table in before} == before, "the replay wrote into the real tables"
    page = replayed.page.read_text(encoding="utf-8")
    assert all(year.title in page for year in report.clean)
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
        shown = analyst.sql(
            "select scenario, policy, count(*), sum(cost) from replay group by all order by all"
        ).fetchall()
    assert [row[:3] for row in shown] == [("clean", "drift", 8), ("clean", "never", 8), ("disturbed", "drift", 8)]
    assert (shown[0][3], shown[1][3]) == (drift.cost, never.cost)

    assert stale_replay(site, policies) == []
    # Incidents are told from the usual by the policy's own year without them, also where nobody asked for that year.
    assert stale_replay(site, policies[1:]) == []
    assert stale_replay(site, policies[1:], with_incidents=False) == [FIRST, LAST]
    version = site.tables.version(REPLAY)
    again = run_replay(site, policies[1:])
    assert again.page.read_text(encoding="utf-8") == page
    assert site.tables.version(REPLAY) == version

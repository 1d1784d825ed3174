import os
import subprocess
import sys

from ml_pipeline.operations.backtest import BACKTEST
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import ROOT
from ml_pipeline_tests.shop_backtest import APRIL, MAY, with_short_blocks


def run(site: Site) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ML_PIPELINE_PROJECT": str(site.sql.folder), "ML_PIPELINE_DATA": str(site.data)}
    command = [sys.executable, "-m", "ml_pipeline.defs.backtest_run"]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=240, check=False)


def test_what_is_missing_is_built_replayed_and_shown_and_a_second_run_changes_nothing(trainable_shop: Site) -> None:
    site = with_short_blocks(trainable_shop)
    first = run(site)
    assert first.returncode == 0, first.stderr[-3000:]
    assert "land orders: 2024-05-29 to 2024-06-01" in first.stdout
    assert "replay: 2024-04-01 to 2024-05-01" in first.stdout
    assert "| month | model | baseline | constant | logistic |" in first.stdout
    assert set(site.tables.published(BACKTEST)) == {APRIL, MAY}
    version = site.tables.version(BACKTEST)
    second = run(site)
    assert second.returncode == 0, second.stderr[-3000:]
    assert second.stdout.count(": up to date") == 6
    assert site.tables.version(BACKTEST) == version
    table = first.stdout.index("# Backtest")
    assert first.stdout[table:] == second.stdout[second.stdout.index("# Backtest") :]


def test_a_project_without_a_backtest_is_told_how_to_have_one(shop_site: Site) -> None:
    done = run(shop_site)
    assert done.returncode == 1
    assert "name its first and last month as backtest in project.yml" in done.stderr
    assert shop_site.tables.published("raw/orders") == {}

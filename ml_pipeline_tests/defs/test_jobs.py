import json
import os
import subprocess
import sys
from datetime import date

import duckdb

from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import ROOT

NIGHT = date(2024, 5, 13)


def execute(site: Site, job: str, night: date) -> subprocess.CompletedProcess[str]:
    home = site.data / "dagster_home"
    home.mkdir(exist_ok=True)
    environment = os.environ | {
        "ML_PIPELINE_PROJECT": str(site.sql.folder), "ML_PIPELINE_DATA": str(site.data), "DAGSTER_HOME": str(home),
    }  # fmt: skip
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "ml_pipeline.definitions", "-j", job, "--tags",
               json.dumps({"dagster/partition": str(night)})]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=180, check=False)


def test_one_night_runs_whole(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    done = execute(site, "nightly_scoring", NIGHT)
    assert done.returncode == 0, done.stderr[-3000:]
    for table, rows in (
        ("scores", 40),
        ("monitoring/performance", 6),
        ("monitoring/estimates", 5),
        ("monitoring/prediction_drift", 1),
        ("monitoring/drift", 12),
        ("monitoring/retraining_decisions", 1),
    ):
        assert site.tables.published(table)[NIGHT].rows == rows, table
    assert site.tables.published("monitoring/calibration")[NIGHT].rows > 0
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as analyst:
        assert analyst.sql(
            f"select count(*), count(distinct order_id) from scores where score_date = '{NIGHT}'"
        ).fetchall() == [(40, 40)]


def test_a_broken_delivery_fails_the_run_and_lands_nothing(shop_site: Site) -> None:
    path = shop_site.sql.folder / "deliveries" / "orders" / "2024-02.csv"
    text = path.read_text(encoding="utf-8")
    assert '"web"' in text
    path.write_text(text.replace('"web"', '"fax"'), encoding="utf-8")
    done = execute(shop_site, "nightly_scoring", shop_site.project.first_night)
    assert done.returncode != 0
    assert "source orders, night 2024-02-15" in done.stderr
    assert "Nothing was landed" in done.stderr
    assert shop_site.tables.published("raw/orders") == {}
    assert not shop_site.tables.exists("scores")

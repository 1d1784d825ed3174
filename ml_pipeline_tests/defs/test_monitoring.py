import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from ml_pipeline.definitions import definitions
from ml_pipeline.defs.project import sql_project
from ml_pipeline.operations.late_arrivals import LATE_ARRIVALS, RESTATEMENTS
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import open_test_site
from ml_pipeline_tests.processes import ROOT

KEY = dg.AssetKey(LATE_ARRIVALS.split("/"))
# The shop corrects two returns on this night, five nights after the wrong versions landed.
NIGHT = date(2024, 4, 3)


@pytest.fixture(scope="module")
def loaded() -> dg.Definitions:
    return definitions()


def test_late_data_is_reported_with_every_night(loaded: dg.Definitions) -> None:
    for job in ("nightly_scoring", "watching"):
        assert KEY in loaded.resolve_job_def(job).asset_layer.executable_asset_keys, job


def test_late_data_is_reported_after_the_sources_and_the_features(loaded: dg.Definitions) -> None:
    parents = {key.to_user_string() for key in loaded.resolve_asset_graph().get(KEY).parent_keys}
    assert parents == {"features", *(f"raw/{source}" for source in sql_project().sources)}


def materialise(site: Site, night: date) -> subprocess.CompletedProcess[str]:
    home = site.data / "dagster_home"
    home.mkdir(exist_ok=True)
    environment = os.environ | {
        "ML_PIPELINE_PROJECT": str(site.sql.folder), "ML_PIPELINE_DATA": str(site.data), "DAGSTER_HOME": str(home),
    }  # fmt: skip
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "ml_pipeline.definitions", "--select",
               LATE_ARRIVALS, "--partition", str(night)]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=180, check=False)


def test_a_night_says_what_it_landed_late(built_shop: Site, shop_project: Path, tmp_path: Path) -> None:
    site = open_test_site(shop_project, Path(shutil.copytree(built_shop.data, tmp_path / "data")))
    done = materialise(site, NIGHT)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {table: site.tables.published(table)[NIGHT].rows for table in (LATE_ARRIVALS, RESTATEMENTS)} == {
        LATE_ARRIVALS: 1, RESTATEMENTS: 5,
    }  # fmt: skip
    with dg.DagsterInstance.from_config(str(site.data / "dagster_home")) as instance:
        (event,) = instance.fetch_materializations(KEY, limit=1).records
        told = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert event.partition_key == str(NIGHT)
    assert (told["rows_late"], told["rows_corrected"], told["earlier_nights_changed"]) == (0, 2, 5)
    assert told["is_changed"] is True

"""Two real installations for every test: a made-up shop, small enough for anything, and the first weeks of the flights."""

import os

# Read by the libraries when they are imported, so this comes before everything else.
os.environ |= {
    "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "DAGSTER_DISABLE_TELEMETRY": "1", "OMP_WAIT_POLICY": "passive",
}  # fmt: skip

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from hypothesis import settings

from ml_pipeline.io.mlflow_registry import MlflowRegistry
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.decide import decide_retraining
from ml_pipeline.operations.land import land
from ml_pipeline.operations.mature import measure_performance
from ml_pipeline.operations.promote import promote_if_better
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site, open_site
from ml_pipeline.operations.train import train
from ml_pipeline.operations.watch import measure_drift
from ml_pipeline_tests.shop_deliveries import write_deliveries

settings.register_profile("ml_pipeline", deadline=None, max_examples=40, derandomize=True, database=None)
settings.load_profile("ml_pipeline")

_HERE = Path(__file__).parent
SHOP_LANDED_UNTIL = date(2024, 5, 28)
SHOP_TRAINED_ON = date(2024, 5, 5)
SHOP_SCORED = nights_between(SHOP_TRAINED_ON, date(2024, 5, 12))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The promises hold the longest tests: begun last, one of them would keep every other core waiting for it."""
    items.sort(key=lambda item: "promises" not in item.path.parts)


def open_test_site(project_folder: Path, data: Path) -> Site:
    """The use case in ``project_folder`` with a data root of its own."""
    data.mkdir(parents=True, exist_ok=True)
    return open_site(
        project_folder=project_folder, data=data, tracking_uri=f"sqlite:///{data / 'mlflow.db'}", threads=2
    )


def land_everything(site: Site, last: date) -> None:
    """Land all sources of ``site`` from its first night to ``last``."""
    for source in site.sql.sources:
        land(site, source, nights_between(site.calendar.first_night, last))


@pytest.fixture(scope="session")
def _shop_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("shop_template") / "shop_returns"
    shutil.copytree(_HERE / "shop", project)
    write_deliveries(project)
    return project


@pytest.fixture
def shop_project(_shop_template: Path, tmp_path: Path) -> Path:
    """Folder of the shop's use case, deliveries included; a copy that the test may change."""
    return Path(shutil.copytree(_shop_template, tmp_path / "shop_returns"))


@pytest.fixture
def shop_site(shop_project: Path, tmp_path: Path) -> Site:
    """The shop, with nothing landed."""
    return open_test_site(shop_project, tmp_path / "data")


@pytest.fixture(scope="session")
def landed_shop(_shop_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The shop with every source landed until SHOP_LANDED_UNTIL. Shared by all tests: read it, never publish to it."""
    site = open_test_site(_shop_template, tmp_path_factory.mktemp("landed_shop"))
    land_everything(site, SHOP_LANDED_UNTIL)
    return site


@pytest.fixture
def landed_shop_copy(landed_shop: Site, shop_project: Path, tmp_path: Path) -> Site:
    """The landed shop in a project and data root of the test's own, which it may change."""
    shutil.copytree(landed_shop.data, tmp_path / "data")
    return open_test_site(shop_project, tmp_path / "data")


@pytest.fixture(scope="session")
def flights_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The default project with all sources landed from 1 January to 20 March 2013. Read it, never publish to it."""
    site = open_test_site(_HERE.parent / "dbt_like_sql" / "nyc_flights", tmp_path_factory.mktemp("flights"))
    land_everything(site, date(2013, 3, 20))
    return site


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables and nothing in them: making them takes seconds, copying takes none."""
    folder = tmp_path_factory.mktemp("mlflow_template")
    MlflowRegistry(f"sqlite:///{folder / 'mlflow.db'}", folder / "mlartifacts", "template").prepare(folder / "lock")
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        connection.execute("delete from experiments where name = 'template'")
        connection.execute("delete from registered_models")
    return folder / "mlflow.db"


def build_everything(site: Site) -> None:
    """Build features and labels of every landed night of the shop."""
    nights = nights_between(site.calendar.first_night, SHOP_LANDED_UNTIL)
    build_features(site, nights)
    build_labels(site, nights)


@pytest.fixture
def trainable_shop(built_shop: Site, shop_project: Path, mlflow_template: Path, tmp_path: Path) -> Site:
    """A copy of the shop, built and with an MLflow store, in which nothing has been trained."""
    shutil.copytree(built_shop.data, tmp_path / "data")
    shutil.copyfile(mlflow_template, tmp_path / "data" / "mlflow.db")
    return open_test_site(shop_project, tmp_path / "data")


@pytest.fixture(scope="session")
def built_shop(landed_shop: Site, _shop_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The landed shop with features and labels of all its nights. Read it, never publish to it."""
    data = tmp_path_factory.mktemp("built_shop") / "data"
    shutil.copytree(landed_shop.data, data)
    site = open_test_site(_shop_template, data)
    build_everything(site)
    return site


@pytest.fixture(scope="session")
def scored_shop(
    built_shop: Site, _shop_template: Path, mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The shop trained and promoted on SHOP_TRAINED_ON, SHOP_SCORED scored, judged, watched, decided. Read it only."""
    data = tmp_path_factory.mktemp("scored_shop") / "data"
    shutil.copytree(built_shop.data, data)
    shutil.copyfile(mlflow_template, data / "mlflow.db")
    site = open_test_site(_shop_template, data)
    promote_if_better(site, train(site, SHOP_TRAINED_ON).bundle.version, SHOP_TRAINED_ON)
    score(site, SHOP_SCORED)
    measure_performance(site, nights_between(SHOP_SCORED[0], date(2024, 5, 16)))
    measure_drift(site, SHOP_SCORED)
    decide_retraining(site, SHOP_SCORED)
    ledgers = sorted((data / "ledgers").rglob("*.json"))
    yield site
    # What one test leaves here another finds, in whatever order they run.
    assert sorted((data / "ledgers").rglob("*.json")) == ledgers, (
        "a test wrote into the shared shop; give it scored_shop_copy"
    )


def copy_of(site: Site, project: Path, data: Path) -> Site:
    """``site`` in a data root of its own; MLflow keeps absolute paths, which are turned to the copy."""
    shutil.copytree(site.data, data)
    with closing(sqlite3.connect(data / "mlflow.db")) as connection, connection:
        for table, column in (
            ("experiments", "artifact_location"), ("runs", "artifact_uri"),
            ("model_versions", "source"), ("model_versions", "storage_location"),
        ):  # fmt: skip
            connection.execute(f"update {table} set {column} = replace({column}, ?, ?)", (str(site.data), str(data)))
    copy = open_test_site(project, data)
    publish_catalog(copy)
    return copy


@pytest.fixture
def scored_shop_copy(scored_shop: Site, shop_project: Path, tmp_path: Path) -> Site:
    """The scored shop in a project and data root of the test's own, which it may change."""
    return copy_of(scored_shop, shop_project, tmp_path / "data")

"""Two real installations for every test: a made-up shop, small enough for anything, and the first weeks of the flights."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import settings

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.land import land
from ml_pipeline.operations.site import Site, open_site
from ml_pipeline_tests.shop_deliveries import write_deliveries

settings.register_profile("ml_pipeline", deadline=None, max_examples=40, derandomize=True, database=None)
settings.load_profile("ml_pipeline")

_HERE = Path(__file__).parent
SHOP_LANDED_UNTIL = date(2024, 5, 28)


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

"""The clock of the machine does not matter, and both nights of the year on which the project's own clock jumps are right."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.audit import rebuild_alone
from ml_pipeline.operations.audit_nights import poisoned_future, rows_read_are_known, shuffled_nights
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import land_everything, open_test_site
from ml_pipeline_tests.processes import start_python

ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland", "Africa/Casablanca")
SPRING, AUTUMN = date(2013, 3, 10), date(2013, 11, 3)

HASHES = """
import sys
from datetime import date
from pathlib import Path
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.operations.site import open_site
for project, data, first, last in zip(*[iter(sys.argv[1:])] * 4):
    site = open_site(project_folder=Path(project), data=Path(data), tracking_uri="", threads=2)
    print(content_hash(site.runner().build_features(date.fromisoformat(first), date.fromisoformat(last))))
"""


@pytest.fixture(scope="module")
def autumn_site(flights_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The default project begun in October, so that five weeks of landing reach the night of the autumn change."""
    folder = tmp_path_factory.mktemp("autumn")
    project = Path(shutil.copytree(flights_site.sql.folder, folder / "nyc_flights"))
    text = (project / "project.yml").read_text(encoding="utf-8")
    assert text.count("first_night: 2013-01-01") == 1
    text = text.replace("first_night: 2013-01-01", "first_night: 2013-10-01")
    (project / "project.yml").write_text(text, encoding="utf-8")
    site = open_test_site(project, folder / "data")
    land_everything(site, nights_back(AUTUMN, -2))
    return site


@pytest.fixture(scope="module")
def spring_site(flights_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A copy of the landed flights, in which features may be built."""
    data = tmp_path_factory.mktemp("spring") / "data"
    shutil.copytree(flights_site.data, data)
    return open_test_site(flights_site.sql.folder, data)


@pytest.fixture(scope="module")
def spans(flights_site: Site, landed_shop: Site, autumn_site: Site) -> list[tuple[Site, Night, Night]]:
    return [
        (flights_site, SPRING, nights_back(SPRING, -1)),
        (autumn_site, AUTUMN, nights_back(AUTUMN, -1)),
        (landed_shop, date(2024, 3, 30), date(2024, 4, 1)),
    ]


def test_features_are_the_same_in_five_time_zones_of_the_machine(spans: list[tuple[Site, Night, Night]]) -> None:
    arguments = [str(part) for site, first, last in spans for part in (site.sql.folder, site.data, first, last)]
    expected = [content_hash(site.runner().build_features(first, last)) for site, first, last in spans]
    running = {zone: start_python(HASHES, *arguments, environment={"TZ": zone}) for zone in ZONES}
    told = {zone: process.communicate(timeout=180) for zone, process in running.items()}
    wrong = sum(one != other for out, _ in told.values() for one, other in zip(out.split(), expected, strict=True))
    print(f"time zones: {len(ZONES) * len(expected)} / {wrong}")
    assert wrong == 0, [error for _, error in told.values()]


@pytest.mark.parametrize(("season", "hours"), [("spring", 23), ("autumn", 25)])
def test_the_night_after_the_change_knows_an_hour_less_or_more(
    spring_site: Site, autumn_site: Site, season: str, hours: int
) -> None:
    site, change = (spring_site, SPRING) if season == "spring" else (autumn_site, AUTUMN)
    night = nights_back(change, -1)
    window = site.calendar.known_window(night, night)
    assert window.after is not None
    assert window.until - window.after == timedelta(hours=hours)
    landed = site.tables.read("raw/weather_observations", [night])
    known_at = landed["known_at"]
    assert pc.all(pc.greater(known_at, pa.scalar(window.after, known_at.type))).as_py()
    assert pc.all(pc.less_equal(known_at, pa.scalar(window.until, known_at.type))).as_py()
    delivered = site.connector.read(site.sql.sources["weather_observations"], window)
    assert landed.num_rows == delivered.num_rows > 50


@pytest.mark.parametrize("season", ["spring", "autumn"])
def test_the_nights_around_the_change_pass_every_audit_of_nights(
    spring_site: Site, autumn_site: Site, season: str
) -> None:
    site, change = (spring_site, SPRING) if season == "spring" else (autumn_site, AUTUMN)
    nights = nights_between(change, nights_back(change, -1))
    build_features(site, nights)
    audits = [audit(site, nights) for audit in (rebuild_alone, poisoned_future, shuffled_nights, rows_read_are_known)]
    print(f"{season}: {sum(audit.trials for audit in audits)} / {sum(len(audit.violations) for audit in audits)}")
    assert [audit.violations for audit in audits] == [()] * 4

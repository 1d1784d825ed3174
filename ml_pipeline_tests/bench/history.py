"""Landed rows to measure on: the real year, and the same year many times over, moved back by whole weeks."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.night_rows import rows_by_night
from ml_pipeline.contracts.source import KNOWN_AT
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.land import land
from ml_pipeline.operations.site import Site, open_site

PROJECT = Path(__file__).parents[2] / "dbt_like_sql" / "nyc_flights"
YEAR = nights_between(date(2013, 1, 1), date(2013, 12, 31))
_WEEKS_A_YEAR = timedelta(days=364)


def open_bench_site(project: Path, data: Path) -> Site:
    data.mkdir(parents=True, exist_ok=True)
    return open_site(project_folder=project, data=data, tracking_uri=f"sqlite:///{data / 'mlflow.db'}", threads=2)


def one_year(folder: Path) -> Site:
    """The default project with 2013 landed; what is landed already stays."""
    site = open_bench_site(PROJECT, folder / "one_year")
    for source in site.sql.sources:
        land(site, source, YEAR)
    return site


def copied_project(project: Path, *, years_before: int) -> Path:
    """The default project in folder ``project``, with a first night so many years earlier."""
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(PROJECT, project)
    text = (project / "project.yml").read_text(encoding="utf-8")
    first_night = YEAR[0] - years_before * _WEEKS_A_YEAR
    (project / "project.yml").write_text(
        text.replace(f"first_night: {YEAR[0]}", f"first_night: {first_night}"), encoding="utf-8"
    )
    return project


def many_years(folder: Path, year: Site, years: int) -> Site:
    """``year`` and the years before it with the same rows, one commit a night, as nightly runs leave them."""
    project, data = copied_project(folder / "many_years_project", years_before=years - 1), folder / "many_years"
    ready = data / "ready"
    if not ready.exists() or ready.read_text(encoding="utf-8") != str(years):
        shutil.rmtree(data, ignore_errors=True)
        site = open_bench_site(project, data)
        for source in site.sql.sources:
            _repeat(year, site, source, years)
        ready.write_text(str(years), encoding="utf-8")
    return open_bench_site(project, data)


def _repeat(year: Site, site: Site, source: str, years: int) -> None:
    contract = site.sql.sources[source]
    rows = year.tables.read(f"raw/{source}", YEAR)
    for years_back in range(years - 1, -1, -1):
        shift = _WEEKS_A_YEAR * years_back
        # A reference lands once, before the first night, and then never again.
        shifted = rows.slice(0, 0) if contract.reference and years_back != years - 1 else moved(rows, shift)
        nights = [night - shift for night in YEAR[: len(YEAR) if years_back == 0 else _WEEKS_A_YEAR.days]]
        for night, mine in rows_by_night(shifted, nights).items():
            site.tables.publish(
                f"raw/{source}", mine, {night: NightInputs.made_from(str(night))}, key=(*contract.key, KNOWN_AT)
            )


def moved(rows: pa.Table, shift: timedelta) -> pa.Table:
    """``rows`` with every day and instant so much earlier."""
    for position, field in enumerate(rows.schema):
        values = rows.column(position)
        if pa.types.is_timestamp(field.type):
            values = pc.subtract(values, pa.scalar(shift, pa.duration("us")))
        elif pa.types.is_date(field.type):
            values = pc.subtract(values.cast(pa.int32()), pa.scalar(shift.days, pa.int32())).cast(pa.date32())
        rows = rows.set_column(position, field, values.cast(field.type))
    return rows

"""Sums of landings, added up by the gate, are the sums of the rows that a night may know, whatever was corrected when."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.source import ColumnContract, SourceContract
from ml_pipeline.io.duckdb_connections import utc_connection
from ml_pipeline.io.gate import (
    landed_table,
    landing_table,
    load_landed,
    load_nights,
    make_landing_relation,
    make_source_relation,
    make_window,
)
from ml_pipeline.io.landing_models import compile_landing_model
from ml_pipeline.io.sql_template import SqlModel
from ml_pipeline.nights import NightCalendar, nights_back, nights_between

CALENDAR = NightCalendar("Europe/Berlin", time(22), 1, date(2024, 3, 25))
NIGHTS = nights_between(date(2024, 3, 27), date(2024, 4, 3))  # the clocks change on 31 March
LANDINGS = nights_between(CALENDAR.first_night, NIGHTS[-1])
LOOKBACK_DAYS = 4
SALES = SourceContract(
    name="sales", description="Sales.", owner="team:shop", key=("sale",), known_when="at once",
    columns=tuple(
        ColumnContract(name=name, type=kind, description=name)
        for name, kind in (("sale", "integer"), ("shop", "string"), ("euros", "integer"), ("known_at", "timestamp"))
    ),
)  # fmt: skip
DAILY = """
select shop, count(*) as sales, count(euros) filter (where euros > 5) as big, sum(euros) as euros,
    min(euros) as least, max(euros) as most, bool_or(euros = 3) as has_three
from source__sales__4_days
group by shop
"""
VERSIONS = st.lists(
    st.tuples(
        st.integers(0, 5),  # sale
        st.sampled_from("ab"),
        st.one_of(st.none(), st.integers(0, 9)),
        st.sampled_from(LANDINGS),
        st.integers(1, 82_000),  # seconds before the cutoff; the shortest night has 23 hours
    ),
    max_size=25,
    unique_by=lambda version: (version[0], version[3], version[4]),
)

Version = tuple[int, str, int | None, date, int]


def known_at(version: Version) -> datetime:
    return CALENDAR.cutoff(version[3]) - timedelta(seconds=version[4])


def expected(versions: list[Version], night: date) -> Counter[tuple[object, ...]]:
    """What a night may know, in plain Python: of each sale the version known last, if it is not too old."""
    latest: dict[int, Version] = {}
    for version in sorted(versions, key=known_at):
        if version[3] <= night:
            latest[version[0]] = version
    groups: dict[tuple[date, str], list[int | None]] = {}
    for _, shop, euros, landing, _ in latest.values():
        if landing > nights_back(night, LOOKBACK_DAYS):
            groups.setdefault((landing, shop), []).append(euros)
    rows: Counter[tuple[object, ...]] = Counter()
    for (landing, shop), values in groups.items():
        some = [value for value in values if value is not None]
        rows[
            (landing, shop, len(values), sum(value > 5 for value in some), sum(some) if some else None,
             min(some, default=None), max(some, default=None), any(value == 3 for value in some) if some else None)
        ] += 1  # fmt: skip
    return rows


def opened(connection: duckdb.DuckDBPyConnection, versions: list[Version], folder: Path) -> bool:
    load_nights(connection, CALENDAR, NIGHTS)
    files = []
    for landing in sorted({version[3] for version in versions}):
        mine = [version for version in versions if version[3] == landing]
        rows = {
            "sale": [version[0] for version in mine], "shop": [version[1] for version in mine],
            "euros": [version[2] for version in mine], "known_at": [known_at(version) for version in mine],
        }  # fmt: skip
        path = folder / f"score_date={landing}" / "rows.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(rows, schema=SALES.arrow_schema()), path)
        files.append(path)
    has_corrections = load_landed(connection, SALES, files)
    make_window(connection, "sales", LOOKBACK_DAYS)
    make_source_relation(connection, SALES, LOOKBACK_DAYS)
    return has_corrections


@given(versions=VERSIONS)
def test_each_night_sees_the_sums_that_it_saw_before_later_corrections(
    tmp_path_factory: pytest.TempPathFactory, versions: list[Version]
) -> None:
    with utc_connection() as connection:
        has_corrections = opened(connection, versions, tmp_path_factory.mktemp("landed"))
        model = SqlModel("daily_sales", "daily", "daily/daily_sales.sql", DAILY, DAILY, (("sales", LOOKBACK_DAYS),), ())
        landing = compile_landing_model(model, {"source__sales__4_days": landed_table("sales")}, frozenset())
        connection.execute(f"create table {landing_table('daily_sales')} as {landing.sql}")
        make_landing_relation(connection, landing, "sales", LOOKBACK_DAYS, has_corrections=has_corrections)
        for night in NIGHTS:
            found = connection.execute(
                "select known_on, shop, sales, big, euros, least, most, has_three from daily_sales where score_date = ?",
                [night],
            ).fetchall()
            assert Counter(found) == expected(versions, night), night


@given(versions=VERSIONS)
def test_a_night_sees_the_last_known_version_of_each_row_of_its_lookback(
    tmp_path_factory: pytest.TempPathFactory, versions: list[Version]
) -> None:
    with utc_connection() as connection:
        opened(connection, versions, tmp_path_factory.mktemp("landed"))
        found = connection.execute("select score_date, sale, known_at from source__sales__4_days").fetchall()
    wanted = set()
    for night in NIGHTS:
        latest = {version[0]: version for version in sorted(versions, key=known_at) if version[3] <= night}
        wanted |= {
            (night, version[0], known_at(version).astimezone(UTC).replace(tzinfo=None))
            for version in latest.values()
            if version[3] > nights_back(night, LOOKBACK_DAYS)
        }
    assert len(found) == len(set(found))
    assert set(found) == wanted


def test_every_night_carries_its_cutoff() -> None:
    with utc_connection() as connection:
        load_nights(connection, CALENDAR, NIGHTS)
        found = dict(connection.execute("select score_date, cutoff_at from gate.nights").fetchall())
    assert found == {night: CALENDAR.cutoff(night).replace(tzinfo=None) for night in NIGHTS}
    assert found[date(2024, 3, 30)].hour == 21 and found[date(2024, 4, 1)].hour == 20

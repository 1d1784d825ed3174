from datetime import UTC, date, datetime

import pandas as pd
import pyarrow as pa
import pytest

from ml_pipeline.contracts.rows import broken_rules, require_shape
from ml_pipeline.io.connectors.nycflights13 import NycFlightsConnector
from ml_pipeline.nights import KnownWindow
from ml_pipeline.operations.site import Site

WHOLE_YEAR = KnownWindow(None, datetime(2014, 1, 3, tzinfo=UTC))
SOURCES = ("schedules", "outcomes", "weather_observations", "aircraft", "airports", "airlines")
KEY = ["carrier", "flight", "origin", "scheduled_departure_at"]


@pytest.fixture(scope="module")
def deliveries(flights_site: Site) -> dict[str, pa.Table]:
    """Each source, whole, as the connector returns it."""
    return {name: flights_site.connector.read(flights_site.sql.sources[name], WHOLE_YEAR) for name in SOURCES}


@pytest.fixture(scope="module")
def outcomes(deliveries: dict[str, pa.Table]) -> pd.DataFrame:
    return deliveries["outcomes"].to_pandas()


@pytest.fixture(scope="module")
def original() -> pd.DataFrame:
    """The flights as the package's file has them, read apart from the connector."""
    path = NycFlightsConnector()._folder / "flights.csv.zip"
    return pd.read_csv(path, usecols=["arr_time", "dest", "tailnum", "sched_arr_time", "time_hour", "minute"])


@pytest.mark.parametrize(
    ("source", "rows"),
    [("schedules", 336_776), ("outcomes", 336_776), ("weather_observations", 26_115), ("aircraft", 3_322),
     ("airports", 1_462), ("airlines", 16)],
)  # fmt: skip
def test_every_row_of_the_package_is_delivered_with_a_key_of_its_own(
    flights_site: Site, deliveries: dict[str, pa.Table], source: str, rows: int
) -> None:
    contract = flights_site.sql.sources[source]
    delivered = require_shape(deliveries[source], contract)
    assert delivered.schema.equals(contract.arrow_schema())
    assert delivered.num_rows == rows
    assert delivered.group_by(list(contract.key)).aggregate([]).num_rows == rows


@pytest.mark.parametrize("source", ["airports", "airlines", "aircraft"])
def test_reference_tables_keep_their_contract(flights_site: Site, deliveries: dict[str, pa.Table], source: str) -> None:
    assert broken_rules(deliveries[source], flights_site.sql.sources[source]) == ()


def test_arrivals_show_the_files_own_time_on_the_clock_at_the_destination(
    deliveries: dict[str, pa.Table], outcomes: pd.DataFrame, original: pd.DataFrame
) -> None:
    zones = original["dest"].map(deliveries["airports"].to_pandas().set_index("airport")["timezone"])
    has_arrived = outcomes["arrived_at"].notna() & original["arr_time"].notna()
    different = []
    for zone, flights in outcomes[has_arrived].groupby(zones[has_arrived]):
        local = flights["arrived_at"].dt.tz_convert(zone)
        clock = local.dt.hour * 100 + local.dt.minute
        different += list(flights.index[clock != original.loc[flights.index, "arr_time"] % 2400])
    assert has_arrived.sum() > 327_000
    # One flight landed at 02:03 by its file, in the hour that the clocks of 10 March 2013 left out.
    assert [
        (outcomes["departure_date"][row], outcomes["carrier"][row], outcomes["flight"][row]) for row in different
    ] == [(date(2013, 3, 9), "B6", 35)]


def test_departures_are_the_instants_that_the_file_names(outcomes: pd.DataFrame, original: pd.DataFrame) -> None:
    hours = pd.to_datetime(original["time_hour"], utc=True)
    assert (outcomes["scheduled_departure_at"] - hours == pd.to_timedelta(original["minute"], unit="min")).all()


def test_planned_arrivals_lie_within_a_day_after_the_departure(deliveries: dict[str, pa.Table]) -> None:
    schedules = deliveries["schedules"].to_pandas()
    duration = schedules["scheduled_arrival_at"] - schedules["scheduled_departure_at"]
    assert duration.between(pd.Timedelta(minutes=15), pd.Timedelta(hours=13)).all()


def test_plans_are_known_seven_days_before(deliveries: dict[str, pa.Table]) -> None:
    schedules = deliveries["schedules"].to_pandas()
    assert (schedules["scheduled_departure_at"] - schedules["known_at"] == pd.Timedelta(days=7)).all()


def test_outcomes_are_known_after_the_arrival_the_cancellation_or_the_diversion(outcomes: pd.DataFrame) -> None:
    kinds = outcomes["is_cancelled"].astype(str) + outcomes["is_diverted"].astype(str)
    assert kinds.value_counts().to_dict() == {"FalseFalse": 327_346, "TrueFalse": 8_255, "FalseTrue": 1_175}
    after_departure = outcomes["known_at"] - outcomes["scheduled_departure_at"]
    assert (after_departure[outcomes["is_cancelled"]] == pd.Timedelta(hours=2)).all()
    assert (after_departure[outcomes["is_diverted"]] == pd.Timedelta(hours=12)).all()
    arrived = outcomes[kinds == "FalseFalse"]
    assert (arrived["known_at"] - arrived["arrived_at"] == pd.Timedelta(minutes=30)).all()
    assert arrived["arr_delay_minutes"].notna().all()


def test_the_tail_number_is_an_outcome_alone(deliveries: dict[str, pa.Table], outcomes: pd.DataFrame) -> None:
    assert "tailnum" not in deliveries["schedules"].schema.names
    assert outcomes["is_cancelled"][outcomes["tailnum"].isna()].all()


def test_the_hour_that_comes_twice_has_two_observations(deliveries: dict[str, pa.Table]) -> None:
    weather = deliveries["weather_observations"].to_pandas()
    fold = weather[
        weather["observed_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d %H") == "2013-11-03 01"
    ]
    assert fold.groupby("airport").size().to_dict() == {"EWR": 2, "JFK": 2, "LGA": 2}
    assert (weather["known_at"] - weather["observed_at"] == pd.Timedelta(hours=1)).all()


def test_every_destination_is_an_airport_with_a_time_zone(deliveries: dict[str, pa.Table]) -> None:
    airports = deliveries["airports"].to_pandas().set_index("airport")
    destinations = sorted(set(deliveries["schedules"]["dest"].to_pylist()))
    assert {"BQN", "PSE", "SJU", "STT"} <= set(destinations)
    assert airports.loc[destinations, "timezone"].notna().all()


def test_a_window_is_half_open(flights_site: Site, outcomes: pd.DataFrame) -> None:
    instants = sorted(outcomes["known_at"].unique())[1000:1003]
    contract = flights_site.sql.sources["outcomes"]
    read = flights_site.connector.read(contract, KnownWindow(instants[0].to_pydatetime(), instants[2].to_pydatetime()))
    assert set(read["known_at"].to_pandas()) == set(instants[1:])


def test_fingerprints_tell_sources_apart_and_stay_the_same(flights_site: Site) -> None:
    sources = flights_site.sql.sources
    prints = {name: NycFlightsConnector().fingerprint(sources[name]) for name in SOURCES}
    assert prints == {name: flights_site.connector.fingerprint(sources[name]) for name in SOURCES}
    assert prints["weather_observations"] != prints["outcomes"]

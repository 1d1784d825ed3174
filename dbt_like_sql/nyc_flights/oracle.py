"""Every feature once more, cell by cell, in brute-force pandas: only ever compared with the tables, never read by one.

Written from the descriptions in ``features.yml``, not from the SQL. It is handed all landed rows, those of later nights
too, and itself keeps what a night may know: of each key the latest version with ``known_at`` not after the cutoff.
"""
# ruff: noqa: INP001 - a use case is a folder of files and no package

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import product
from math import asin, atan2, cos, degrees, radians, sin, sqrt

import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

from ml_pipeline.nights import Night, NightCalendar, nights_back

Cell = float | str | None

KEYS = {
    "schedules": ["carrier", "flight", "origin", "scheduled_departure_at"],
    "outcomes": ["carrier", "flight", "origin", "scheduled_departure_at"],
    "weather_observations": ["airport", "observed_at"], "aircraft": ["tailnum"], "airports": ["airport"],
}  # fmt: skip
ALIKE = {
    "network": [], "origin": ["origin"], "carrier": ["carrier"], "dest": ["dest"], "route": ["origin", "dest"],
    "origin_hour": ["origin", "hour"], "carrier_origin": ["carrier", "origin"],
    "carrier_origin_hour": ["carrier", "origin", "hour"], "flight_number": ["carrier", "flight", "origin"],
}  # fmt: skip
MEANS = {
    "disrupted_rate": "is_disrupted", "cancelled_rate": "is_cancelled",
    "arr_delay_minutes": "arr_delay_minutes", "dep_delay_minutes": "dep_delay_minutes",
}  # fmt: skip
LATE_MINUTES = 15
EARTH_RADIUS_MILES = 3958.8


class Known:
    """What one night knows of each source, and where its windows begin."""

    def __init__(self, landed: Mapping[str, pd.DataFrame], calendar: NightCalendar, night: Night) -> None:
        self.night, self._calendar = night, calendar
        self.cutoff = pd.Timestamp(calendar.cutoff(night))
        latest = {name: self._latest(landed[name], key) for name, key in KEYS.items()}
        self.plan = latest["schedules"].assign(hour=lambda rows: rows["departure_minute"] // 60)
        outcomes = latest["outcomes"].assign(hour=lambda rows: rows["departure_minute"] // 60)
        is_late = outcomes["arr_delay_minutes"] >= LATE_MINUTES
        self.outcomes = outcomes.assign(is_disrupted=outcomes["is_cancelled"] | outcomes["is_diverted"] | is_late)
        self.weather = latest["weather_observations"]
        self.aircraft = latest["aircraft"].set_index("tailnum")
        self.airports = latest["airports"].set_index("airport")

    def _latest(self, rows: pd.DataFrame, key: list[str]) -> pd.DataFrame:
        known = rows[rows["known_at"] <= self.cutoff]
        return known.sort_values("known_at").drop_duplicates(key, keep="last")

    def since(self, window: str) -> pd.Timestamp:
        """Start of a window such as ``28d`` (wall-clock days) or ``6h``; the start itself is outside."""
        count = int(window[:-1])
        if window.endswith("h"):
            return self.cutoff - pd.Timedelta(hours=count)
        return pd.Timestamp(self._calendar.cutoff(nights_back(self.night, count)))

    def outcomes_like(self, flight: pd.Series, columns: list[str], window: str) -> pd.DataFrame:
        """Outcomes that became known in the window, of flights that share ``columns`` with ``flight``."""
        return like(self.outcomes[self.outcomes["known_at"] > self.since(window)], flight, columns)


Feature = Callable[[Known, pd.Series], Cell]


def like(rows: pd.DataFrame, flight: pd.Series, columns: list[str]) -> pd.DataFrame:
    """Those ``rows`` that share ``columns`` with ``flight``."""
    for column in columns:
        rows = rows[rows[column] == flight[column]]
    return rows


def number(value: float | None) -> Cell:
    return None if value is None or pd.isna(value) else float(value)


def mean(values: pd.Series) -> Cell:
    """Mean of what is not missing, None of nothing."""
    return number(values.dropna().astype(float).mean())


def duration(flight: pd.Series) -> float:
    return (flight["scheduled_arrival_at"] - flight["scheduled_departure_at"]) / pd.Timedelta(minutes=1)


def days_to_holiday(known: Known, sign: int) -> Cell:
    """Days to the nearest public holiday in one direction, 0 on a holiday itself."""
    day, year = pd.Timestamp(known.night), timedelta(days=366)
    holidays = USFederalHolidayCalendar().holidays(day - year, day + year)
    return float(min(days for holiday in holidays if (days := sign * (holiday - day).days) >= 0))


def of_day(columns: list[str], value: Callable[[pd.DataFrame, pd.Series], float] = lambda day, _: len(day)) -> Feature:
    """``value`` (their number, if none) of the flights planned that day that share ``columns`` with the flight."""
    return lambda known, flight: number(value(like(known.plan, flight, ["departure_date", *columns]), flight))


def lately(columns: list[str], window: str, column: str) -> Feature:
    return lambda known, flight: mean(known.outcomes_like(flight, columns, window)[column])


def lately_counted(columns: list[str], window: str) -> Feature:
    """Number of flights, missing where there was none."""
    return lambda known, flight: float(len(known.outcomes_like(flight, columns, window)))


def baseline(known: Known, flight: pd.Series) -> Cell:
    """The rate of the closest flights of which there is one."""
    groups = (["carrier", "origin", "hour"], ["origin", "hour"], [])
    rates = (lately(columns, "28d", "is_disrupted")(known, flight) for columns in groups)
    return next((rate for rate in rates if rate is not None), None)


def last_flight(value: Callable[[pd.Series, pd.Series], Cell]) -> Feature:
    """``value`` of the latest departure with this number whose outcome became known within 28 days, and the flight."""

    def of_last(known: Known, flight: pd.Series) -> Cell:
        rows = known.outcomes_like(flight, ALIKE["flight_number"], "28d").sort_values("scheduled_departure_at")
        return value(rows.iloc[-1], flight) if len(rows) else None

    return of_last


def clock_hours_between(last: pd.Series, flight: pd.Series) -> Cell:
    before, now = (row["scheduled_departure_at"].floor("h") for row in (last, flight))
    return float((now - before) / pd.Timedelta(hours=1))


def fleet(value: Callable[[Known, pd.DataFrame], pd.Series]) -> Feature:
    """Mean over the flights of 28 days that flew, with an aircraft that the register knows."""

    def of_fleet(known: Known, flight: pd.Series) -> Cell:
        rows = known.outcomes_like(flight, ["carrier", "origin", "dest"], "28d")
        rows = rows[~rows["is_cancelled"]]
        return mean(value(known, rows.merge(known.aircraft, left_on="tailnum", right_index=True)))

    return of_fleet


def weather(value: Callable[[Known, pd.DataFrame], float | None]) -> Feature:
    """``value`` of the observations at the airport of departure that became known in two days, oldest first."""

    def of_observations(known: Known, flight: pd.Series) -> Cell:
        rows = known.weather[known.weather["known_at"] > known.since("2d")]
        rows = rows[rows["airport"] == flight["origin"]].sort_values("observed_at")
        return number(value(known, rows)) if len(rows) else None

    return of_observations


def change(values: pd.Series) -> float | None:
    """The last value minus that of 24 observations before."""
    return values.iloc[-1] - values.iloc[-25] if len(values) >= 25 else None


def positions(known: Known, flight: pd.Series) -> list[float]:
    """Latitude and longitude of both ends, in radians."""
    rows = known.airports.loc[[flight["origin"], flight["dest"]], ["latitude_degrees", "longitude_degrees"]]
    return [radians(value) for value in rows.to_numpy().ravel()]


def great_circle(known: Known, flight: pd.Series) -> Cell:
    """Haversine formula."""
    lat1, lon1, lat2, lon2 = positions(known, flight)
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_MILES * asin(sqrt(half))


def bearing(known: Known, flight: pd.Series) -> Cell:
    lat1, lon1, lat2, lon2 = positions(known, flight)
    east = sin(lon2 - lon1) * cos(lat2)
    return degrees(atan2(east, cos(lat1) * sin(lat2) - sin(lat1) * cos(lat2) * cos(lon2 - lon1)))


FEATURES: dict[str, Feature] = {
    **{f"{name}_code": lambda _, f, name=name: str(f[name]) for name in ("carrier", "origin", "dest")},
    **{name: lambda _, f, name=name: float(f[name]) for name in ("departure_minute", "arrival_minute", "distance_miles")},
    "departure_hour": lambda _, f: float(f["hour"]),
    "flight_number": lambda _, f: float(f["flight"]),
    "scheduled_duration_minutes": lambda _, f: duration(f),
    "scheduled_speed_mph": lambda _, f: float(f["distance_miles"]) / (duration(f) / 60),
    "weekday": lambda known, _: float(known.night.isoweekday()),
    "is_weekend": lambda known, _: float(known.night.isoweekday() >= 6),
    "days_since_holiday": lambda known, _: days_to_holiday(known, -1),
    "days_to_holiday": lambda known, _: days_to_holiday(known, 1),
    "origin_hour_departures": of_day(["origin", "hour"]),
    "origin_previous_hour_departures": of_day(["origin"], lambda day, f: sum(day["hour"] == f["hour"] - 1)),
    "origin_earlier_departures": of_day(["origin"], lambda day, f: sum(day["hour"] < f["hour"])),
    "origin_day_departures": of_day(["origin"]),
    "carrier_origin_day_departures": of_day(["carrier", "origin"]),
    "carrier_origin_day_share": of_day(["origin"], lambda day, f: (day["carrier"] == f["carrier"]).mean()),
    "carrier_origin_hour_departures": of_day(["carrier", "origin", "hour"]),
    "route_day_departures": of_day(["origin", "dest"]),
    "route_day_carriers": of_day(["origin", "dest"], lambda day, _: day["carrier"].nunique()),
    "dest_hour_departures": of_day(["dest", "hour"]),
    **{f"{group}_flight_count_28d": lately_counted(columns, "28d") for group, columns in ALIKE.items()},
    **{f"{group}_{name}_{window}": lately(ALIKE[group], window, column)
       for group, (name, column), window in product(ALIKE, MEANS.items(), ["28d", "7d", "1d", "6h", "3h"])},
    "baseline_disrupted_rate": baseline,
    "last_flight_is_disrupted": last_flight(lambda last, _: float(last["is_disrupted"])),
    "last_flight_arr_delay_minutes": last_flight(lambda last, _: number(last["arr_delay_minutes"])),
    "last_flight_age_hours": last_flight(clock_hours_between),
    "fleet_seats_28d": fleet(lambda _, rows: rows["seats"]),
    "fleet_age_years_28d": fleet(lambda known, rows: known.night.year - rows["built_year"]),
    **{name: weather(lambda _, rows, name=name: rows[name].iloc[-1]) for name in (
        "temperature_f", "dewpoint_f", "humidity_pct", "wind_speed_mph", "wind_gust_mph", "pressure_mb",
        "visibility_miles", "precipitation_inches")},
    "weather_age_minutes": weather(lambda known, rows: (known.cutoff - rows["observed_at"].iloc[-1]) / pd.Timedelta(minutes=1)),
    "temperature_change_f_24h": weather(lambda _, rows: change(rows["temperature_f"])),
    "pressure_change_mb_24h": weather(lambda _, rows: change(rows["pressure_mb"])),
    "wind_speed_change_mph_24h": weather(lambda _, rows: change(rows["wind_speed_mph"])),
    "precipitation_inches_24h": weather(lambda _, rows: rows["precipitation_inches"].tail(24).sum(min_count=1)),
    "lowest_visibility_miles_24h": weather(lambda _, rows: rows["visibility_miles"].tail(24).min()),
    "strongest_gust_mph_24h": weather(lambda _, rows: rows["wind_gust_mph"].tail(24).max()),
    **{f"dest_{name}": lambda known, f, name=name: number(known.airports[name].get(f["dest"]))
       for name in ("latitude_degrees", "longitude_degrees", "elevation_feet")},
    "great_circle_miles": great_circle,
    "bearing_degrees": bearing,
}  # fmt: skip


class Oracle:
    """Every feature of every flight and night, one cell at a time.

    Args:
        landed: all landed rows of each source.
        calendar: the nights of the project.
    """

    features = frozenset(FEATURES)

    def __init__(self, landed: Mapping[str, pd.DataFrame], calendar: NightCalendar) -> None:
        self._landed, self._calendar = landed, calendar
        self._nights: dict[Night, Known] = {}

    def cell(self, key: Mapping[str, object], night: Night, feature: str) -> Cell:
        """The feature of the flight ``key`` as the night knew it; None too for a flight that the night does not know."""
        if night not in self._nights:
            self._nights[night] = Known(self._landed, self._calendar, night)
        known = self._nights[night]
        mine = like(known.plan, pd.Series(key), KEYS["schedules"])
        return FEATURES[feature](known, mine.iloc[0]) if len(mine) else None

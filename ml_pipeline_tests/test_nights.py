from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.nights import (
    NightCalendar,
    contiguous_runs,
    lookback_nights,
    nights_back,
    nights_between,
    parse_night,
    replayed_night,
)

FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)
NEW_YORK = NightCalendar("America/New_York", time(20, 0), 1, FIRST)
MICROSECOND = timedelta(microseconds=1)
# Late enough to lie after the first cutoff, early enough to lie before the last one.
INSTANTS = st.datetimes(datetime(2013, 1, 2, 3), datetime(2013, 12, 30), timezones=st.just(UTC))
NIGHTS = st.dates(FIRST + timedelta(days=2), LAST - timedelta(days=2))
CUTOFF_TIMES = st.times().map(lambda value: value.replace(tzinfo=None))


def night_of(instant: datetime, calendar: NightCalendar = NEW_YORK) -> date:
    microseconds = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
    return calendar.nights_known(np.array([microseconds]), FIRST, LAST)[0].astype(date)


@given(INSTANTS)
def test_every_instant_belongs_to_exactly_one_night(instant: datetime) -> None:
    owners = []
    for offset in range(-3, 4):
        night = nights_back(instant.date(), offset)
        window = NEW_YORK.known_window(night, night)
        if (window.after is None or window.after < instant) and instant <= window.until:
            owners.append(night)
    assert owners == [night_of(instant)]


@given(NIGHTS, CUTOFF_TIMES, st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC"]))
def test_the_cutoff_belongs_to_its_night_and_the_next_microsecond_to_the_next(
    night: date, cutoff_time: time, timezone: str
) -> None:
    calendar = NightCalendar(timezone, cutoff_time, 1, FIRST)
    cutoff = calendar.cutoff(night)
    assert night_of(cutoff, calendar) == night
    assert night_of(cutoff + MICROSECOND, calendar) == nights_back(night, -1)


@pytest.mark.parametrize(
    ("night", "hours"),
    [(date(2013, 3, 10), 24), (date(2013, 3, 11), 23), (date(2013, 11, 3), 24), (date(2013, 11, 4), 25)],
)
def test_a_night_is_shorter_or_longer_by_the_hour_of_the_clock_change(night: date, hours: int) -> None:
    window = NEW_YORK.known_window(night, night)
    assert window.after is not None
    assert window.until - window.after == timedelta(hours=hours)


@pytest.mark.parametrize("cutoff_time", [time(1, 30), time(2, 0), time(2, 30), time(3, 0)])
@pytest.mark.parametrize("change", [date(2013, 3, 10), date(2013, 11, 3)])
def test_cutoffs_rise_even_at_hours_that_do_not_exist_or_exist_twice(cutoff_time: time, change: date) -> None:
    calendar = NightCalendar("America/New_York", cutoff_time, 0, FIRST)
    cutoffs = [calendar.cutoff(night) for night in nights_between(nights_back(change, 3), nights_back(change, -3))]
    assert cutoffs == sorted(set(cutoffs))


def test_the_first_night_takes_all_that_was_known_before() -> None:
    assert NEW_YORK.known_window(FIRST, FIRST).after is None
    assert night_of(datetime(1999, 1, 1, tzinfo=UTC)) == FIRST


def test_windows_of_neighbours_touch_and_a_range_is_their_sum() -> None:
    night, following = date(2013, 3, 10), date(2013, 3, 11)
    assert NEW_YORK.known_window(night, night).until == NEW_YORK.known_window(following, following).after
    whole = NEW_YORK.known_window(night, following)
    assert (whole.after, whole.until) == (NEW_YORK.cutoff(date(2013, 3, 9)), NEW_YORK.cutoff(following))


def test_an_instant_after_the_last_cutoff_has_no_night() -> None:
    with pytest.raises(ValueError, match="after the cutoff of 2013-12-31"):
        night_of(NEW_YORK.cutoff(LAST) + MICROSECOND)


@given(st.dates(date(1000, 1, 1)))
def test_a_night_is_read_back_as_it_is_written(night: date) -> None:
    assert parse_night(night.isoformat()) == night


@pytest.mark.parametrize(
    "text",
    ["../../x", "2013-1-1", "2013-07-01x", "2013-07-01\n", " 2013-07-01", "20130701", "2013-W27-1", "2013-02-30",
     "2013-07-01'; drop table scores; --", "２０１３-０７-０１", "٢٠١٣-٠٧-٠١", "2013-07-01/..", "0000-01-01", ""],
)  # fmt: skip
def test_hostile_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_night(text)


@given(NIGHTS, st.integers(1, 60))
def test_a_lookback_ends_with_the_night_and_never_starts_before_the_first(night: date, days: int) -> None:
    nights = lookback_nights(night, days, first_night=FIRST)
    assert nights[-1] == night and nights[0] >= FIRST
    assert len(nights) == min(days, (night - FIRST).days + 1)


@given(st.sets(NIGHTS, max_size=40), st.integers(1, 10))
def test_runs_cover_each_night_once_and_have_no_holes(nights: set[date], longest: int) -> None:
    runs = contiguous_runs(nights, longest=longest)
    covered = [night for first, last in runs for night in nights_between(first, last)]
    assert covered == sorted(nights)
    assert all((last - first).days < longest for first, last in runs)


@pytest.mark.parametrize("nights", [[], [date(2012, 12, 31)], [date(2013, 5, 1), date(2014, 1, 3)]])
def test_nights_outside_the_project_are_refused(nights: list[date]) -> None:
    calendar = NightCalendar("America/New_York", time(20, 0), 1, FIRST, date(2014, 1, 2))
    with pytest.raises(ValueError, match="no night was named|outside this project's nights 2013-01-01 to 2014-01-02"):
        calendar.require(nights)


def test_the_first_and_the_last_night_are_allowed() -> None:
    NightCalendar("UTC", time(0), 0, FIRST, LAST).require([FIRST, LAST])
    assert nights_between(LAST, FIRST) == ()


def test_a_replayed_day_keeps_month_and_day() -> None:
    assert replayed_night(date(2026, 11, 21), 2013) == date(2013, 11, 21)
    assert replayed_night(date(2024, 2, 29), 2013) == date(2013, 2, 28)
    assert replayed_night(date(2024, 2, 29), None) == date(2024, 2, 29)


@given(
    NIGHTS, st.integers(0, 5), CUTOFF_TIMES, st.integers(0, 7),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Pacific/Auckland", "UTC"]),
)  # fmt: skip
def test_the_nights_of_a_window_are_those_that_it_was_made_for(
    first: date, more: int, cutoff_time: time, days_before: int, timezone: str
) -> None:
    calendar = NightCalendar(timezone, cutoff_time, days_before, FIRST)
    for start in (first, FIRST):
        last = start + timedelta(days=more)
        assert calendar.nights_of_window(calendar.known_window(start, last)) == nights_between(start, last)

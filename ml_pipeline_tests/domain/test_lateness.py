from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.domain.lateness import expected_nights, judge_arrivals, key_numbers
from ml_pipeline.nights import NightCalendar

FIRST = date(2024, 3, 25)
BERLIN = NightCalendar("Europe/Berlin", time(20), 1, FIRST)
KEY = ("shop", "number")
SCHEMA = pa.schema([("score_date", pa.date32()), ("shop", pa.string()), ("number", pa.int64())])
Row = tuple[int, str, int]
ROWS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["a", "b"]), st.integers(1, 3)), max_size=30)


def night(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def table(rows: list[Row]) -> pa.Table:
    entries = [{"score_date": night(landed), "shop": shop, "number": number} for landed, shop, number in rows]
    return pa.Table.from_pylist(entries, schema=SCHEMA)


def no_expectation(rows: list[Row]) -> np.ndarray:
    return np.full(len(rows), np.datetime64("NaT"), dtype="datetime64[D]")


@given(ROWS, st.sets(st.integers(0, 6)), st.lists(st.none() | st.integers(-2, 9), min_size=30, max_size=30))
def test_each_row_is_judged_by_the_last_version_of_an_earlier_night_or_by_what_was_expected(
    versions: list[Row], wanted: set[int], expectations: list[int | None]
) -> None:
    rows = [version for version in versions if version[0] in wanted]
    earlier = [version for version in versions if version[0] not in wanted]
    expected = expectations[: len(rows)]
    nights = np.array([None if day is None else night(day) for day in expected], dtype="datetime64[D]")
    found = judge_arrivals(table(rows), nights, table(earlier), KEY)
    for place, (landed, *key) in enumerate(rows):
        corrected = max((day for day, *other in versions if other == key and day < landed), default=None)
        due = landed if expected[place] is None else min(expected[place], landed)
        due = due if corrected is None else corrected
        assert found.is_correction[place] == (corrected is not None)
        assert found.due_on[place].item() == night(due)
        assert found.nights_late[place] == landed - due
        kind = "correction" if corrected is not None else "late" if due < landed else ""
        assert found.kinds[place] == kind


def test_a_row_on_the_expected_night_is_in_time_and_one_night_after_it_is_late() -> None:
    rows = [(2, "a", 1), (3, "a", 2)]
    found = judge_arrivals(table(rows), np.array([night(2), night(2)], dtype="datetime64[D]"), table([]), KEY)
    assert found.nights_late.tolist() == [0, 1]
    assert found.kinds.tolist() == ["", "late"]


def test_a_late_correction_is_a_correction_of_the_newest_version_and_nothing_else() -> None:
    rows = [(5, "a", 1)]
    found = judge_arrivals(
        table(rows), np.array([night(0)], dtype="datetime64[D]"), table([(1, "a", 1), (3, "a", 1), (4, "b", 1)]), KEY
    )
    assert (found.kinds.tolist(), found.nights_late.tolist()) == (["correction"], [2])


def test_two_versions_of_one_night_correct_the_same_earlier_one_and_not_each_other() -> None:
    rows = [(4, "a", 1), (4, "a", 1), (4, "b", 1), (4, "b", 1)]
    found = judge_arrivals(table(rows), no_expectation(rows), table([(1, "a", 1)]), KEY)
    assert found.is_correction.tolist() == [True, True, False, False]
    assert found.nights_late.tolist() == [3, 3, 0, 0]


def test_no_rows_are_judged_without_complaint() -> None:
    found = judge_arrivals(table([]), no_expectation([]), table([(1, "a", 1)]), KEY)
    assert (len(found.due_on), len(found.nights_late), len(found.kinds)) == (0, 0, 0)


@given(ROWS)
def test_equal_keys_have_equal_numbers_and_others_have_not(rows: list[Row]) -> None:
    numbers = key_numbers(table(rows), KEY).tolist()
    for one, (_, *left) in zip(numbers, rows, strict=True):
        for other, (_, *right) in zip(numbers, rows, strict=True):
            assert (one == other) == (left == right)


def source(column: str, nights: int) -> SourceContract:
    return SourceContract.model_validate({
        "name": "orders", "description": "Orders.", "owner": "team:shop", "key": ["number"], "known_when": "at once",
        "expected_by": {"column": column, "nights": nights},
        "columns": [
            {"name": "number", "type": "integer", "description": "Number."},
            {"name": "day", "type": "date", "description": "Day."},
            {"name": "instant", "type": "timestamp", "description": "Instant."},
            {"name": "known_at", "type": "timestamp", "description": "Clock."},
        ],
    })  # fmt: skip


def dated(landed: date, day: date, instant: datetime) -> pa.Table:
    row = {"score_date": landed, "day": day, "instant": instant}
    schema = pa.schema([("score_date", pa.date32()), ("day", pa.date32()), ("instant", pa.timestamp("us", tz="UTC"))])
    return pa.Table.from_pylist([row], schema=schema)


@pytest.mark.parametrize(
    ("day", "nights", "expected"),
    [
        (date(2024, 4, 1), 0, date(2024, 4, 1)),
        (date(2024, 4, 1), 2, date(2024, 4, 3)),
        (date(2024, 3, 1), 2, FIRST),  # the first night takes everything that was known before it
        (date(2024, 3, 24), 2, date(2024, 3, 26)),
        (date(9999, 12, 31), 0, date(9999, 12, 31)),
    ],
)
def test_a_day_is_expected_so_many_nights_later(day: date, nights: int, expected: date) -> None:
    rows = dated(date(2024, 4, 9), day, datetime(2024, 4, 1, tzinfo=UTC))
    assert expected_nights(rows, source("day", nights), BERLIN).tolist() == [expected]


@pytest.mark.parametrize(
    ("instant", "nights", "expected"),
    [
        (datetime(2024, 3, 30, 19, 0, tzinfo=UTC), 0, date(2024, 3, 31)),  # 20:00 in winter, the cutoff itself
        (datetime(2024, 3, 30, 19, 0, 0, 1, tzinfo=UTC), 0, date(2024, 4, 1)),
        (datetime(2024, 3, 31, 18, 0, tzinfo=UTC), 0, date(2024, 4, 1)),  # 20:00 in summer
        (datetime(2024, 3, 31, 18, 0, 0, 1, tzinfo=UTC), 3, date(2024, 4, 5)),
        (datetime(2019, 1, 1, tzinfo=UTC), 0, FIRST),
        (datetime(2019, 1, 1, tzinfo=UTC), 2, date(2024, 3, 27)),
    ],
)
def test_an_instant_is_expected_so_many_nights_after_the_night_whose_window_holds_it(
    instant: datetime, nights: int, expected: date
) -> None:
    rows = dated(date(2024, 4, 9), FIRST, instant)
    assert expected_nights(rows, source("instant", nights), BERLIN).tolist() == [expected]


@pytest.mark.parametrize("instant", [datetime(2024, 4, 8, 18, 0, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_an_instant_that_has_not_come_yet_makes_no_row_late(instant: datetime) -> None:
    rows = dated(date(2024, 4, 9), FIRST, instant)
    (expected,) = expected_nights(rows, source("instant", 0), BERLIN).tolist()
    assert expected >= date(2024, 4, 9)


def test_a_source_that_does_not_say_expects_nothing() -> None:
    rows = dated(date(2024, 4, 9), FIRST, datetime(2024, 4, 1, tzinfo=UTC))
    silent = source("day", 0).model_copy(update={"expected_by": None})
    assert np.isnat(expected_nights(rows, silent, BERLIN)).tolist() == [True]
    assert len(expected_nights(rows.slice(0, 0), source("instant", 0), BERLIN)) == 0

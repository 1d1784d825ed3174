from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.label_times import cutoffs_of, instant, latest_labels
from ml_pipeline.nights import NightCalendar

FIRST = date(2024, 5, 1)
CLOCK = datetime(2024, 5, 1, tzinfo=UTC)
KEY = ("shop", "order_id")
ROW_SCHEMA = pa.schema([("score_date", pa.date32()), ("shop", pa.string()), ("order_id", pa.int64())])
LABEL_SCHEMA = pa.schema([
    ("score_date", pa.date32()), ("shop", pa.string()), ("order_id", pa.int64()), ("labelled_date", pa.date32()),
    ("label_known_at", pa.timestamp("us", tz="UTC")), ("label", pa.bool_()),
])  # fmt: skip
KEYS = st.tuples(
    st.integers(0, 1).map(lambda days: FIRST + timedelta(days=days)), st.sampled_from(["a", "b"]), st.integers(1, 2)
)
VERSIONS = st.tuples(KEYS, st.integers(0, 6), st.one_of(st.none(), st.booleans()))


def rows(*keys: tuple[date, str, int]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(ROW_SCHEMA.names, key, strict=True)) for key in keys], schema=ROW_SCHEMA)


def version(key: tuple[date, str, int], minute: int | None, label: bool | None) -> dict[str, Any]:
    known_at = None if minute is None else CLOCK + timedelta(minutes=minute)
    # The partition is the same for all: this reading goes by the clock of the label and by nothing else.
    return {"score_date": FIRST, "shop": key[1], "order_id": key[2], "labelled_date": key[0], "label_known_at": known_at,
            "label": label}  # fmt: skip


@given(
    st.lists(KEYS, max_size=12),
    st.lists(VERSIONS, max_size=30, unique_by=lambda entry: (entry[0], entry[1])),
    st.integers(0, 6),
)
def test_each_row_gets_the_newest_version_known_by_then_and_its_clock(
    keys: list[tuple[date, str, int]], versions: list[tuple[tuple[date, str, int], int, bool | None]], until: int
) -> None:
    newest: dict[tuple[date, str, int], tuple[int, bool]] = {}
    for key, minute, label in sorted(versions, key=lambda entry: entry[1]):
        if minute <= until and label is not None:
            newest[key] = (minute, label)
    table = pa.Table.from_pylist([version(*entry) for entry in versions], schema=LABEL_SCHEMA)
    found = latest_labels(rows(*keys), table, KEY, until=CLOCK + timedelta(minutes=until))
    assert found.is_known.tolist() == [key in newest for key in keys]
    expected = [float(newest[key][1]) if key in newest else np.nan for key in keys]
    assert np.array_equal(found.values, np.array(expected, dtype=float), equal_nan=True)
    for key, known_at in zip(keys, found.known_at, strict=True):
        if key in newest:
            assert known_at == instant(CLOCK + timedelta(minutes=newest[key][0]))


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_correction_replaces_what_it_corrects_wherever_it_lies(order: tuple[int, ...], last: bool) -> None:
    key = (FIRST, "a", 1)
    told = [version(key, 1, last), version(key, 2, not last), version(key, 3, last)]
    table = pa.Table.from_pylist([told[position] for position in order], schema=LABEL_SCHEMA)
    for minute, label in ((1, last), (2, not last), (3, last)):
        found = latest_labels(rows(key), table, KEY, until=CLOCK + timedelta(minutes=minute))
        assert (found.values[0], found.known_at[0]) == (float(label), instant(CLOCK + timedelta(minutes=minute)))


def test_a_version_without_a_clock_is_not_known() -> None:
    key = (FIRST, "a", 1)
    table = pa.Table.from_pylist([version(key, None, label=True)], schema=LABEL_SCHEMA)
    assert not latest_labels(rows(key), table, KEY, until=CLOCK).is_known.any()


def test_the_label_of_another_day_is_another_label() -> None:
    yesterday, today = (FIRST, "a", 1), (FIRST + timedelta(days=1), "a", 1)
    table = pa.Table.from_pylist([version(yesterday, 1, label=True)], schema=LABEL_SCHEMA)
    found = latest_labels(rows(yesterday, today), table, KEY, until=CLOCK + timedelta(days=9))
    assert found.is_known.tolist() == [True, False]


def test_cutoffs_follow_the_calendar_of_the_project() -> None:
    berlin = NightCalendar("Europe/Berlin", time(20), 1, FIRST)
    nights = np.array(["2024-04-01", "2024-03-31", "2024-04-01"], dtype="datetime64[D]")
    expected = ["2024-03-31T18:00", "2024-03-30T19:00", "2024-03-31T18:00"]  # summer time begins on 31 March
    assert np.array_equal(cutoffs_of(nights, berlin), np.array(expected, dtype="datetime64[us]"))
    later = cutoffs_of(nights[1:2], berlin, later=1)
    assert np.array_equal(later, np.array(expected[:1], dtype="datetime64[us]"))
    assert cutoffs_of(nights[:0], berlin).shape == (0,)

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.hindsight import Difference, difference, in_hindsight
from ml_pipeline.domain.lateness import judge_arrivals

FIRST = date(2024, 5, 1)
CLOCK = datetime(2024, 5, 1, tzinfo=UTC)
START, LAST = 2, 6
SCHEMA = pa.schema([
    ("number", pa.int64()), ("value", pa.int64()), ("known_at", pa.timestamp("us", tz="UTC")), ("score_date", pa.date32()),
])  # fmt: skip


def night(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def cutoff(offset: int) -> datetime:
    return CLOCK + timedelta(days=offset, hours=-4)


CUTOFFS = {night(offset): cutoff(offset) for offset in range(START, LAST + 1)}


@dataclass(frozen=True)
class Version:
    """One landed row: its key, the night that landed it, minutes before that night's cutoff, when it was expected."""

    number: int
    landed: int
    minutes: int
    value: int
    expected: int

    @property
    def known_at(self) -> datetime:
        return cutoff(self.landed) - timedelta(minutes=self.minutes)


VERSIONS = st.lists(
    st.builds(
        Version, st.integers(1, 4), st.integers(0, LAST), st.integers(0, 5), st.integers(1, 1000), st.integers(0, LAST)
    ),
    max_size=25, unique_by=lambda version: (version.number, version.landed, version.minutes),
)  # fmt: skip


def table(versions: list[Version]) -> pa.Table:
    entries = [
        {"number": one.number, "value": one.value, "known_at": one.known_at, "score_date": night(one.landed)}
        for one in versions
    ]
    return pa.Table.from_pylist(entries, schema=SCHEMA)


def moved(versions: list[Version]) -> pa.Table:
    rows = [one for one in versions if one.landed >= START]
    before = [one for one in versions if one.landed < START]
    expected = np.array([night(one.expected) for one in rows], dtype="datetime64[D]")
    arrivals = judge_arrivals(table(rows), expected, table(before), ["number"])
    return in_hindsight(table(rows), arrivals, CUTOFFS, ["number"])


def moved_by_hand(versions: list[Version]) -> list[Version]:
    """The same, key by key and in words."""
    answer: list[Version] = []
    for number in {one.number for one in versions}:
        mine = sorted((one for one in versions if one.number == number), key=lambda one: (one.landed, one.known_at))
        earlier, tonight = [one for one in mine if one.landed < LAST], [one for one in mine if one.landed == LAST]
        due = LAST if not tonight else earlier[-1].landed if earlier else tonight[-1].expected
        if START <= due < LAST and earlier:
            place = earlier.pop()
            tonight = [replace(place, value=tonight[-1].value)]
        elif START <= due < LAST:
            tonight = [replace(tonight[-1], landed=due, minutes=0)]
        answer += [*earlier, *tonight]
    return [one for one in answer if one.landed >= START]


def in_order(rows: pa.Table) -> list[dict[str, object]]:
    return rows.sort_by([(name, "ascending") for name in ("number", "score_date", "known_at")]).to_pylist()


@given(VERSIONS)
def test_late_rows_and_corrections_of_the_last_night_lie_where_they_belong_and_all_else_stays(
    versions: list[Version],
) -> None:
    found = moved(versions)
    assert found.schema == SCHEMA
    assert in_order(found) == in_order(table(moved_by_hand(versions)))


def test_a_correction_stands_in_the_place_of_the_version_that_it_corrects_with_its_clock() -> None:
    first, second = Version(1, 3, 30, 10, 2), Version(1, 4, 20, 11, 2)
    found = in_order(moved([first, second, Version(1, LAST, 10, 99, 2)]))
    assert [(row["value"], row["score_date"], row["known_at"]) for row in found] == [
        (10, night(3), first.known_at),
        (99, night(4), second.known_at),
    ]


def test_a_late_row_was_known_at_the_last_instant_that_would_have_been_in_time() -> None:
    (row,) = in_order(moved([Version(1, LAST, 10, 99, 4)]))
    assert (row["score_date"], row["known_at"], row["value"]) == (night(4), cutoff(4), 99)


@pytest.mark.parametrize("versions", [
    [Version(1, LAST, 10, 99, LAST)],
    [Version(1, LAST, 10, 99, START - 1)],
    [Version(1, START - 1, 0, 5, 0), Version(1, LAST, 10, 99, 3)],
])  # fmt: skip
def test_a_row_in_time_or_due_before_the_nights_at_hand_stays(versions: list[Version]) -> None:
    (row,) = in_order(moved(versions))
    assert (row["score_date"], row["known_at"]) == (night(LAST), versions[-1].known_at)


def test_rows_that_an_earlier_night_landed_late_are_not_touched() -> None:
    versions = [Version(1, 4, 0, 5, 2), Version(2, 3, 0, 6, 3), Version(2, 5, 0, 7, 3)]
    assert in_order(moved(versions)) == in_order(table(versions))


def features(values: dict[str, tuple[float | None, str | None]]) -> pa.Table:
    return pa.table({
        "order_id": pa.array(list(values), pa.string()),
        "rate": pa.array([rate for rate, _ in values.values()], pa.float64()),
        "shelf": pa.array([shelf for _, shelf in values.values()], pa.string()),
    })  # fmt: skip


BEFORE = {"a": (0.5, "toys"), "b": (None, None), "c": (float("nan"), "books"), "d": (0.0, "toys")}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BEFORE, Difference(0, 0)),
        (dict(reversed(BEFORE.items())), Difference(0, 0)),
        (BEFORE | {"a": (0.6, "toys")}, Difference(1, 1)),
        (BEFORE | {"a": (0.6, "toys"), "b": (1.0, None)}, Difference(2, 1)),
        (BEFORE | {"a": (0.6, "games")}, Difference(1, 2)),
        (BEFORE | {"b": (0.0, None)}, Difference(1, 1)),
        (BEFORE | {"b": (None, "")}, Difference(1, 1)),
        (BEFORE | {"c": (None, "books")}, Difference(1, 1)),
        (BEFORE | {"d": (-0.0, "toys")}, Difference(1, 1)),
        (BEFORE | {"e": (0.1, "toys")}, Difference(1, 0)),
        ({name: values for name, values in BEFORE.items() if name != "b"}, Difference(1, 0)),
        ({}, Difference(4, 0)),
    ],
)
def test_a_difference_counts_rows_and_columns(after: dict[str, tuple[float, str]], expected: Difference) -> None:
    assert difference(features(BEFORE), features(after), ["order_id"]) == expected
    assert difference(features(after), features(BEFORE), ["order_id"]) == expected

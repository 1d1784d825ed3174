"""What an incident does to the rows of its nights, and that it leaves all others as they are."""

from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pytest

from ml_pipeline.contracts.replay import IncidentContract
from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.connectors.disturbed import DisturbedConnector
from ml_pipeline.nights import KnownWindow, NightCalendar, nights_between

CALENDAR = NightCalendar("UTC", time(20), 1, date(2024, 1, 1))
LAST = date(2024, 1, 12)
SOURCE = SourceContract.model_validate({
    "name": "meters", "description": "Readings.", "owner": "team:x", "key": ["id"], "known_when": "at once",
    "columns": [
        {"name": "id", "type": "integer", "description": "Number."},
        {"name": "value", "type": "number", "description": "Reading.", "nullable": True},
        {"name": "pieces", "type": "integer", "description": "Count."},
        {"name": "known_at", "type": "timestamp", "description": "When."},
    ],
})  # fmt: skip


class Meters:
    """One row every six hours."""

    def __init__(self) -> None:
        first = datetime(2023, 12, 31, 3, tzinfo=UTC)
        self.known = [first + timedelta(hours=6 * step) for step in range(52)]

    def fingerprint(self, source: SourceContract) -> str:
        return f"meters {source.name}"

    def read(self, _source: SourceContract, window: KnownWindow) -> pa.Table:
        rows = [
            {"id": step, "value": None if step == 20 else float(step), "pieces": step, "known_at": known}
            for step, known in enumerate(self.known)
            if (window.after is None or window.after < known) and known <= window.until
        ]
        return pa.Table.from_pylist(rows, schema=SOURCE.arrow_schema())


def incident(kind: str, **other: object) -> IncidentContract:
    told = {"name": "one", "title": "One", "kind": kind, "source": "meters", "first": date(2024, 1, 4), "nights": 3}
    return IncidentContract.model_validate(told | other)


def landed(*incidents: IncidentContract) -> dict[date, dict[int, tuple[float | None, int]]]:
    """What each night lands, alone; and that the whole range lands the same."""
    connector = DisturbedConnector(Meters(), CALENDAR, incidents)
    found = {}
    for night in nights_between(CALENDAR.first_night, LAST):
        rows = connector.read(SOURCE, CALENDAR.known_window(night, night)).to_pylist()
        found[night] = {row["id"]: (row["value"], row["pieces"]) for row in rows}
    whole = connector.read(SOURCE, CALENDAR.known_window(CALENDAR.first_night, LAST))
    assert sorted(whole.column("id").to_pylist()) == sorted(number for rows in found.values() for number in rows)
    return found


UNDISTURBED = landed()
HIT = nights_between(date(2024, 1, 4), date(2024, 1, 6))
LOST = {number for night in HIT for number in UNDISTURBED[night]}


def test_missing_rows_never_come() -> None:
    found = landed(incident("missing"))
    assert all(found[night] == {} for night in HIT)
    assert {night: rows for night, rows in found.items() if night not in HIT} == {
        night: rows for night, rows in UNDISTURBED.items() if night not in HIT
    }


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_late_rows_come_so_many_nights_later_and_none_is_lost(delay: int) -> None:
    found = landed(incident("late", delay_nights=delay))
    expected = {night: dict(rows) for night, rows in UNDISTURBED.items() if night not in HIT} | {
        night: {} for night in HIT
    }
    for night in HIT:
        expected[night + timedelta(days=delay)] |= UNDISTURBED[night]
    assert found == expected


def test_rows_that_come_all_together_come_on_the_night_after_the_last() -> None:
    found = landed(incident("late"))
    assert all(found[night] == {} for night in HIT)
    assert found[date(2024, 1, 7)].keys() == LOST | UNDISTURBED[date(2024, 1, 7)].keys()


def test_another_unit_touches_its_column_only_and_nothing_stays_nothing() -> None:
    found = landed(incident("scaled", column="value", factor=2.0, offset=1.0))
    for night, rows in UNDISTURBED.items():
        for number, (value, pieces) in rows.items():
            expected = value if value is None or night not in HIT else 2 * value + 1
            assert found[night][number] == (expected, pieces)


def test_a_whole_number_stays_one() -> None:
    found = landed(incident("scaled", column="pieces", factor=0.45))
    assert {number: found[night][number][1] for night in HIT for number in found[night]} == {
        number: round(number * 0.45) for number in LOST
    }


def test_only_a_source_with_an_incident_has_another_fingerprint() -> None:
    other = SOURCE.model_copy(update={"name": "others"})
    connector = DisturbedConnector(Meters(), CALENDAR, (incident("missing"),))
    assert connector.fingerprint(other) == "meters others"
    assert connector.fingerprint(SOURCE) != "meters meters"
    assert DisturbedConnector(Meters(), CALENDAR, ()).fingerprint(SOURCE) == "meters meters"

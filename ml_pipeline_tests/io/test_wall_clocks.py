"""Readings of a wall clock against Python's own zoneinfo: a reading is an instant if exactly one instant shows it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from ml_pipeline.io.wall_clocks import instants_of

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "UTC")


def shown_by(reading: datetime, zone: str) -> list[datetime]:
    """The instants at which the clock shows ``reading``, found by trying both folds."""
    tried = {reading.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(each for each in tried if each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == reading)


@pytest.mark.parametrize("zone", ZONES)
def test_every_half_hour_of_years_with_changes_is_what_zoneinfo_says(zone: str) -> None:
    first = datetime(2018, 1, 1)
    readings = [first + timedelta(minutes=30 * number) for number in range(2 * 24 * 365)]
    found = instants_of(pa.chunked_array([pa.array(readings, pa.timestamp("us"))]), "x", zone)
    violations = 0
    for reading, instant, fault in zip(readings, found.values.to_pylist(), found.faults.to_pylist(), strict=True):
        told = shown_by(reading, zone)
        expected = told[0] if len(told) == 1 else None
        words = {0: f"x: shown by the clock of {zone}", 1: None}.get(len(told), f"x: shown once by the clock of {zone}")
        violations += instant != expected or (fault or "")[: len(words or "")] != (words or "")
    print(f"{zone}: {len(readings)} trials / {violations} violations")
    assert violations == 0


def test_an_offset_settles_what_a_reading_leaves_open() -> None:
    texts = [
        "2024-10-27 02:30:00+02:00",
        "2024-10-27 02:30:00+01:00",
        "2024-10-27 02:30:00",
        "2024-06-01 12:00:00",
        None,
    ]
    found = instants_of(pa.chunked_array([texts]), "x", "Europe/Berlin")
    assert found.values.to_pylist() == [
        datetime(2024, 10, 27, 0, 30, tzinfo=UTC), datetime(2024, 10, 27, 1, 30, tzinfo=UTC), None,
        datetime(2024, 6, 1, 10, tzinfo=UTC), None,
    ]  # fmt: skip
    assert [fault is not None for fault in found.faults.to_pylist()] == [False, False, True, False, False]

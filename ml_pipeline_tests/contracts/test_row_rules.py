from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.row_rules import LOOKS_LIKE_NANOSECONDS, LOOKS_LIKE_SECONDS, unowned_instants
from ml_pipeline.contracts.rows import PERSONAL, broken_rules
from ml_pipeline.contracts.source import ColumnContract, SourceContract

KNOWN = datetime(2024, 3, 1, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {"code": "A", "happened_at": KNOWN, "day": date(2024, 3, 1), "known_at": KNOWN}


def contract(**options: dict[str, Any]) -> SourceContract:
    kinds = {"code": "string", "happened_at": "timestamp", "day": "date", "known_at": "timestamp"}
    columns = [
        {"name": name, "type": kind, "description": name, "nullable": name == "code"} | options.get(name, {})
        for name, kind in kinds.items()
    ]
    return SourceContract.model_validate(
        {
            "name": "x",
            "description": "X.",
            "owner": "team:x",
            "key": ["code"],
            "known_when": "at once",
            "columns": columns,
        }
    )


def found(change: dict[str, Any], **options: dict[str, Any]) -> set[tuple[int, str, str]]:
    rows = pa.Table.from_pylist([GOOD, GOOD | change], schema=contract().arrow_schema())
    return {(broken.row, broken.column, broken.rule) for broken in broken_rules(rows, contract(**options))}


@pytest.mark.parametrize("code", [None, "", " ", "\u00a0\t"])
def test_a_key_is_not_empty_even_where_its_column_may_be(code: str | None) -> None:
    assert (1, "code", "a key is not empty") in found({"code": code})


@pytest.mark.parametrize("character", ["\0", "\n", "\x7f", "\u00ad", "\u200b", "\u200e", "\u202e", "\u2066", "\ufeff"])
def test_what_cannot_be_seen_in_a_key_is_broken(character: str) -> None:
    assert [rule for _, _, rule in found({"code": f"A{character}B"})] == [
        "a key holds no control, invisible or direction characters"
    ]


@pytest.mark.parametrize("code", ["é", "日本", "\U0001f600", "a b", "=1", "'; drop"])
def test_every_other_character_is_text(code: str) -> None:
    assert found({"code": code}) == set()


def test_instants_of_another_unit_are_named_as_that() -> None:
    seconds = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(KNOWN.timestamp()))
    assert {rule for _, _, rule in found({"happened_at": seconds})} == {
        LOOKS_LIKE_SECONDS,
        "no earlier than 1971-01-01",
    }
    nanoseconds = pa.scalar(int(KNOWN.timestamp() * 10**9)).cast(pa.timestamp("us", tz="UTC"))
    rows = pa.Table.from_pylist([GOOD], schema=contract().arrow_schema())
    rows = rows.set_column(1, "happened_at", pa.array([nanoseconds]))
    (first, second) = broken_rules(rows, contract())
    assert {first.rule, second.rule} == {LOOKS_LIKE_NANOSECONDS, "no later than 2199-12-31"}
    assert first.value == f"{int(KNOWN.timestamp() * 10**9)} microseconds since 1970"


def test_an_old_archive_may_say_that_it_is_old() -> None:
    assert found({"happened_at": datetime(1970, 1, 5, tzinfo=UTC)}, happened_at={"earliest": "1900-01-01"}) == set()
    assert found({"day": date(1801, 1, 1)}) == set()
    assert found({"day": date(2024, 3, 2)}, day={"latest": "2024-03-01"}) == {(1, "day", "no later than 2024-03-01")}
    assert found({"day": date(2024, 2, 28)}, day={"earliest": "2024-02-29"}) == {
        (1, "day", "no earlier than 2024-02-29")
    }


@pytest.mark.parametrize(("minutes", "is_broken"), [(-1, False), (0, False), (5, False), (6, True)])
def test_what_happened_lies_before_it_was_known_but_for_five_minutes(minutes: int, is_broken: bool) -> None:
    options = {"happened_at": {"not_after": "known_at"}}
    broken = found({"happened_at": KNOWN + timedelta(minutes=minutes)}, **options)
    assert broken == ({(1, "happened_at", "not after known_at")} if is_broken else set())


def test_personal_values_stay_out_of_what_is_told() -> None:
    rows = pa.Table.from_pylist([GOOD | {"code": "Grace\0"}], schema=contract().arrow_schema())
    (broken,) = broken_rules(rows, contract(code={"pii": True}))
    assert broken.value == PERSONAL


def test_instants_that_no_night_can_own_are_told_of_known_at_alone() -> None:
    old = datetime(1970, 1, 2, tzinfo=UTC)
    rows = pa.Table.from_pylist([GOOD, GOOD | {"known_at": old, "happened_at": old}], schema=contract().arrow_schema())
    hits = [(cells.column, cells.rule) for cells in unowned_instants(rows, contract()) if cells.mask.to_pylist()[1]]
    assert hits == [("known_at", LOOKS_LIKE_SECONDS), ("known_at", "no earlier than 1971-01-01")]


@pytest.mark.parametrize(
    "options",
    [
        {"type": "string", "earliest": "2024-01-01"},
        {"type": "date", "timezone": "UTC"},
        {"type": "timestamp", "timezone": "Mars"},
    ],
)
def test_options_of_clocks_belong_to_clocks(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="column x"):
        ColumnContract.model_validate({"name": "x", "description": "X."} | options)


def test_unused_options_leave_no_trace_in_a_dump_so_that_hashes_of_old_bundles_stand() -> None:
    column = ColumnContract(name="x", type="timestamp", description="X.")
    assert set(column.model_dump()) == {
        "name", "type", "description", "nullable", "minimum", "maximum", "accepted_values", "pattern", "pii",
    }  # fmt: skip
    assert column.model_copy(update={"timezone": "UTC"}).model_dump()["timezone"] == "UTC"

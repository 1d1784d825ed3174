from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.domain.night_bounds import Anomaly, judge_nights
from ml_pipeline.nights import Night, nights_between

NIGHTS = nights_between(date(2024, 3, 1), date(2024, 3, 30))
LAST = NIGHTS[-1]


def contract(**bounds: object) -> SourceContract:
    columns = [
        ("code", "string"),
        ("price", "number"),
        ("weight", "number"),
        ("shelf", "string"),
        ("known_at", "timestamp"),
    ]
    return SourceContract.model_validate(
        {
            "name": "x", "description": "X.", "owner": "team:x", "key": ["code"], "known_when": "at once", "bounds": bounds,
            "columns": [{"name": name, "type": kind, "description": name, "nullable": True} for name, kind in columns],
        }
    )  # fmt: skip


def night_of(night: Night, rows: int = 100) -> pa.Table:
    generator = np.random.default_rng(night.toordinal())
    return pa.table({
        "score_date": [night] * rows, "price": generator.uniform(20, 60, rows), "weight": generator.uniform(1, 3, rows),
        "shelf": [f"s{number}" for number in generator.integers(0, 12, rows)],
    })  # fmt: skip


def judged(
    change: Callable[[pa.Table], pa.Table], nights: tuple[Night, ...] = (LAST,), **bounds: object
) -> tuple[Anomaly, ...]:
    tables = {night: night_of(night) for night in NIGHTS}
    tables[LAST] = change(tables[LAST])
    counts = {night: table.num_rows for night, table in tables.items()}
    return judge_nights(pa.concat_tables(tables.values()), counts, nights, contract(**bounds))


def scaled(name: str, factor: float) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        values = pa.array(rows.column(name).to_numpy() * factor)
        return rows.set_column(rows.schema.get_field_index(name), name, values)

    return change


def test_nights_like_those_before_are_as_usual() -> None:
    assert judged(lambda rows: rows, NIGHTS) == ()


@pytest.mark.parametrize(
    ("change", "rule", "column"),
    [
        (lambda rows: rows.slice(0, 0), "empty", None),
        (lambda rows: rows.slice(0, 19), "volume", None),
        (lambda rows: pa.concat_tables([rows] * 6), "volume", None),
        (scaled("price", 100), "scale", "price"),
        (scaled("price", 0.01), "scale", "price"),
        (scaled("weight", -1), "sign", "weight"),
        (lambda rows: rows.set_column(1, "price", pa.nulls(100, pa.float64())), "missing", "price"),
        (lambda rows: rows.set_column(3, "shelf", pa.array([f"new{n}" for n in range(100)])), "new values", "shelf"),
    ],
)
def test_a_night_beyond_its_bounds_is_told_by_rule_and_column(
    change: Callable[[pa.Table], pa.Table], rule: str, column: str | None
) -> None:
    found = judged(change)
    assert (rule, column) in {(anomaly.rule, anomaly.column) for anomaly in found}
    assert all(anomaly.night == LAST and anomaly.reason for anomaly in found)


def test_swapped_columns_are_told_together() -> None:
    found = judged(lambda rows: rows.select([0, 2, 1, 3]).rename_columns(rows.schema.names))
    assert any("price and weight look swapped" in anomaly.reason for anomaly in found)


@pytest.mark.parametrize("factor", [0.3, 0.7, 1.5, 2.0])
def test_what_moves_a_little_moves_freely(factor: float) -> None:
    assert judged(scaled("price", factor)) == ()


def test_bounds_can_be_set() -> None:
    assert judged(lambda rows: rows.slice(0, 19), volume_ratio=10) == ()
    assert judged(lambda rows: rows.slice(0, 0), closed_nights=[LAST]) == ()
    assert judged(scaled("price", 100), least_history_nights=30) == ()


def test_a_source_that_is_often_empty_may_be() -> None:
    counts = {night: 100 if night.weekday() == 0 else 0 for night in NIGHTS}
    rows = pa.concat_tables(night_of(night) for night in NIGHTS if counts[night])
    assert [anomaly.rule for anomaly in judge_nights(rows, counts, NIGHTS, contract()) if anomaly.rule == "empty"] == []


def test_reference_sources_and_landed_nights_are_not_judged() -> None:
    reference = contract().model_copy(update={"reference": True})
    assert judge_nights(night_of(LAST), {LAST: 0}, [LAST], reference) == ()
    assert judged(scaled("price", 100), nights=()) == ()

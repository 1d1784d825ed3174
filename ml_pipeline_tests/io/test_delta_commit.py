from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.io.delta_commit import _predicate, write_commit
from ml_pipeline.io.delta_log import read_commit

FIRST = date(2024, 1, 1)


def rows(nights: list[date], value: int) -> pa.Table:
    return pa.table({"score_date": pa.array(nights, pa.date32()), "value": [value] * len(nights)})


def test_a_commit_replaces_its_nights_and_no_other(tmp_path: Path) -> None:
    nights = [FIRST + timedelta(days=day) for day in range(4)]
    write_commit(tmp_path, rows(nights, 1), nights, "{}", is_first=True)
    write_commit(tmp_path, rows(nights[1:2], 2), [nights[1], nights[3]], '{"a": 1}', is_first=False)
    found = DeltaTable(tmp_path).to_pyarrow_table().sort_by("score_date").to_pydict()
    assert found == {"score_date": nights[:3], "value": [1, 2, 1]}
    assert read_commit(tmp_path, DeltaTable(tmp_path).version()).nights == {"a": 1}


def test_nights_without_a_row_can_be_the_first_commit(tmp_path: Path) -> None:
    write_commit(tmp_path, rows([], 1), [FIRST], "{}", is_first=True)
    assert DeltaTable(tmp_path).to_pyarrow_table().num_rows == 0
    assert DeltaTable(tmp_path).version() >= 0


@given(days=st.sets(st.integers(0, 60), min_size=1))
def test_the_predicate_names_exactly_the_nights(days: set[int]) -> None:
    import duckdb

    nights = [FIRST + timedelta(days=day) for day in sorted(days)]
    asked = f"select range::date as score_date from range(date '2023-12-25', date '2024-03-20', interval 1 day) where {_predicate(nights)}"
    assert [night for (night,) in duckdb.sql(asked).fetchall()] == nights

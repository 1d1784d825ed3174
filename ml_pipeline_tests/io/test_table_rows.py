from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_pipeline.io.table_rows import FileSlice, read_rows, read_slice, slices_of

NIGHT = date(2024, 3, 1)
SCHEMA = pa.schema([("score_date", pa.date32()), ("number", pa.int64())])


def written(folder: Path, rows: int, group: int, name: str = "part.parquet") -> Path:
    path = folder / "score_date=2024-03-01" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({"number": range(rows)}, schema=pa.schema([("number", pa.int64())])), path, row_group_size=group
    )
    return path


@settings(deadline=None)
@given(rows=st.integers(0, 500), group=st.integers(1, 200), most_rows=st.integers(1, 300))
def test_slices_hold_every_row_once_in_order_and_few_at_a_time(
    tmp_path_factory: pytest.TempPathFactory, rows: int, group: int, most_rows: int
) -> None:
    file = written(tmp_path_factory.mktemp("slices"), rows, group)
    slices = [*slices_of(NIGHT, [file], most_rows)]
    found = [read_slice(one, SCHEMA).column("number").to_pylist() for one in slices]
    assert [number for numbers in found for number in numbers] == [*range(rows)]
    assert all(0 < len(numbers) <= max(most_rows, group) for numbers in found)
    assert len(slices) <= 2 * rows / max(most_rows, group) + 1


def test_slices_end_with_row_groups_where_they_can(tmp_path: Path) -> None:
    file = written(tmp_path, 1000, 300)
    assert [(one.first_group, one.end_group) for one in slices_of(NIGHT, [file], 650)] == [(0, 2), (2, 4)]


def test_slices_read_one_after_the_other_are_the_night(tmp_path: Path) -> None:
    files = [written(tmp_path, 1000, 300), written(tmp_path, 70, 300, "part2.parquet")]
    whole = read_rows(tmp_path, files, SCHEMA, may_lack=False)
    parts = [read_slice(one, SCHEMA) for one in slices_of(NIGHT, files, 130)]
    assert pa.concat_tables(parts).combine_chunks().equals(whole.combine_chunks())
    assert whole.column("number").to_pylist() == [*range(1000), *range(70)]


def test_a_file_of_before_the_table_grew_reads_as_null(tmp_path: Path) -> None:
    file = written(tmp_path, 5, 5)
    grown = SCHEMA.append(pa.field("later", pa.string()))
    for found in (read_rows(tmp_path, [file], grown, may_lack=True), read_slice(FileSlice(NIGHT, file, 0, 1), grown)):
        assert found.schema == grown
        assert found.column("later").null_count == found.num_rows == 5
        assert set(found.column("score_date").to_pylist()) == {NIGHT}

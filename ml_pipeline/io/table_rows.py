"""Rows of a table's Parquet files: all of some files, or a slice of one, so that a night of any size can be read in parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.duckdb_connections import file_reader
from ml_pipeline.nights import Night


@dataclass(frozen=True)
class FileSlice:
    """Row groups ``first_group`` up to, not including, ``end_group`` of a ``file`` of ``night``."""

    night: Night
    file: Path
    first_group: int
    end_group: int


def slices_of(night: Night, files: Sequence[Path], most_rows: int) -> Iterator[FileSlice]:
    """All rows of ``files`` in order, at most ``most_rows`` at a time; a single row group is never divided."""
    import pyarrow.parquet as pq

    for file in files:
        footer, first, rows = pq.read_metadata(file), 0, 0
        for group in range(footer.num_row_groups):
            more = footer.row_group(group).num_rows
            if rows and rows + more > most_rows:
                yield FileSlice(night, file, first, group)
                first, rows = group, 0
            rows += more
        if rows:
            yield FileSlice(night, file, first, footer.num_row_groups)


def read_slice(part: FileSlice, wanted: pa.Schema) -> pa.Table:
    """The rows of ``part`` as ``wanted`` says, null in columns that its file lacks; on one thread, for callers that have more."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(part.file) as file:
        groups = range(part.first_group, part.end_group)
        there = [name for name in wanted.names if name in file.schema_arrow.names]
        rows = file.read_row_groups([*groups], columns=there, use_threads=False)
    rows = rows.append_column(SCORE_DATE, pa.repeat(pa.scalar(part.night, pa.date32()), rows.num_rows))
    return _typed(rows, wanted)


def read_rows(root: Path, files: Sequence[Path], wanted: pa.Schema, *, may_lack: bool) -> pa.Table:
    """The rows of ``files``, all below ``root``, as ``wanted`` says.

    With ``may_lack`` a file that was written before the table grew reads as null in the columns that it lacks.
    """
    with file_reader(root) as connection:
        found = connection.read_parquet([str(path) for path in files], hive_partitioning=True, union_by_name=may_lack)
        named = [name for name in wanted.names if not may_lack or name in found.columns]
        rows = found.select(*named).to_arrow_table()
    return _typed(rows, wanted)


def _typed(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """``rows`` with the columns and types of ``wanted``; Arrow looks at every chunk of a cast, also where there is nothing to do."""
    for name in set(wanted.names) - set(rows.schema.names):
        rows = rows.append_column(name, pa.nulls(rows.num_rows))
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(rows.select(wanted.names).columns, wanted, strict=True)
    ]
    return pa.table(columns, schema=wanted)

"""Rows of a table's Parquet files: all of some files, or a slice of one, so that a night of any size can be read in parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml_pipeline.io.duckdb_connections import file_reader

_PLACE = "file_row_number"


@dataclass(frozen=True)
class FileSlice:
    """Rows ``start`` up to, not including, ``stop`` of ``file``."""

    file: Path
    start: int
    stop: int


def slices_of(files: Sequence[Path], most_rows: int) -> Iterator[FileSlice]:
    """All rows of ``files`` in order, at most ``most_rows`` at a time; slices end with the files' row groups where they can."""
    import pyarrow.parquet as pq

    for file in files:
        footer, start, stop = pq.read_metadata(file), 0, 0
        for group in range(footer.num_row_groups):
            rows = footer.row_group(group).num_rows
            if stop > start and stop + rows - start > most_rows:
                yield FileSlice(file, start, stop)
                start = stop
            stop += rows
            # A writer that made one group of everything: each slice then reads past what is not its own.
            while stop - start > most_rows:
                yield FileSlice(file, start, start + most_rows)
                start += most_rows
        if stop > start:
            yield FileSlice(file, start, stop)


def read_rows(
    root: Path, files: Sequence[Path], wanted: pa.Schema, *, may_lack: bool, part: FileSlice | None = None
) -> pa.Table:  # fmt: skip
    """The rows of ``files``, all below ``root``, as ``wanted`` says; of ``part`` only, if it is given.

    With ``may_lack`` a file that was written before the table grew reads as null in the columns that it lacks.
    """
    with file_reader(root) as connection:
        found = connection.read_parquet(
            [str(path) for path in files], hive_partitioning=True, union_by_name=may_lack,
            file_row_number=part is not None,
        )  # fmt: skip
        if part is not None:
            found = found.filter(f"{_PLACE} >= {part.start} and {_PLACE} < {part.stop}")
        named = [name for name in wanted.names if not may_lack or name in found.columns]
        rows = found.select(*named).to_arrow_table()
    for name in set(wanted.names) - set(named):
        rows = rows.append_column(name, pa.nulls(rows.num_rows))
    return _typed(rows.select(wanted.names), wanted)


def _typed(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """``rows`` with the types of ``wanted``; Arrow looks at every chunk of a cast, also where there is nothing to do."""
    columns = [
        column if column.type == field.type else column.cast(field.type)
        for column, field in zip(rows.columns, wanted, strict=True)
    ]
    return pa.table(columns, schema=wanted)

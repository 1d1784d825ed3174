"""Reads a CSV file by the contract's types: each cell must be written as its type is written, or the file is refused."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from ml_pipeline.contracts.delivery import LimitsContract
from ml_pipeline.contracts.source import ARROW_TYPES, ColumnContract, SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError, shown
from ml_pipeline.io.csv_dialect import CsvBytes, require_dialect, require_short_lines
from ml_pipeline.io.delivery_columns import FoundColumns, require_columns
from ml_pipeline.io.file_gate import GatedFile
from ml_pipeline.io.wall_clocks import instants_of

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})"
# How a cell of each type is written. No leading zero, because 00123 would become 123 without a word; no 1 for true.
_WRITTEN = {
    "integer": r"0|-?[1-9][0-9]*",
    "number": r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|NaN|nan|[+-]?(inf|Infinity)",
    "boolean": r"true|false|True|False|TRUE|FALSE",
    "date": _DAY,
    "timestamp": rf"{_DAY}[ T]{_CLOCK}{_ZONE}",
}
_ON_A_WALL = rf"{_DAY}[ T]{_CLOCK}{_ZONE}?"
# Bytes of memory for each byte of a file, at the peak of telling its records and cells apart (measured: ten).
_HELD_TIMES = 10
_SECOND_60 = r"^.{10}[ T][0-9]{2}:[0-9]{2}:60"
_MEANT = {
    "integer": "a whole number without leading zeros, from -2^63 to 2^63 - 1",
    "number": "a number with a decimal point",
    "boolean": "true or false",
    "date": "a day written YYYY-MM-DD",
    "timestamp": "an instant with its offset, such as 2024-03-01 12:00:00Z, at most microseconds",
}


@dataclass(frozen=True)
class CsvRows:
    """Declared columns in the contract's order, what is wrong with a row (null: nothing), columns not declared."""

    rows: pa.Table
    faults: pa.ChunkedArray
    unknown: tuple[str, ...]


def _as_written(texts: pa.ChunkedArray, column: ColumnContract) -> pa.ChunkedArray:
    pattern = _ON_A_WALL if column.timezone else _WRITTEN[column.type]
    return pc.match_substring_regex(texts, rf"\A(?:{pattern})\z")


CELL_RULES: tuple[Callable[[pa.ChunkedArray, ColumnContract], pa.ChunkedArray], ...] = (_as_written,)


def read_csv_file(path: Path, file: GatedFile, source: SourceContract) -> CsvRows:
    """Read ``file`` as RFC 4180 with a header; an empty cell is missing, an empty quoted one is an empty text.

    Raises:
        DeliveryError: another dialect, other columns, or a cell that is not written as its type; names line and column.
    """
    _require_small(path, file, source.limits)
    require_short_lines(path, file.handle, source.limits)
    csv_bytes = require_dialect(path, file.handle.read(), source.limits)
    unknown = require_columns(path, FoundColumns(tuple(csv_bytes.header), {}), source)
    try:
        texts = pa_csv.read_csv(
            io.BytesIO(csv_bytes.content),
            # A block must hold the longest record that the dialect lets through.
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=max(1 << 22, source.limits.max_cell_bytes * 8)),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(csv_bytes.header, pa.string()), null_values=[""], strings_can_be_null=True,
                quoted_strings_can_be_null=False, include_columns=list(source.column_names),
            ),
        )  # fmt: skip
    except (pa.ArrowException, OSError) as error:
        raise DeliveryError(
            f"{shown(path)}: cannot be read as {source.name}. Correct the file and run again"
        ) from error
    return _typed(path, csv_bytes, texts, source, unknown)


def _require_small(path: Path, file: GatedFile, limits: LimitsContract) -> None:
    held = file.size_bytes * _HELD_TIMES
    if held > limits.max_decoded_bytes:
        raise DeliveryError(
            f"{shown(path)}: reading it as CSV takes about {held:,} bytes of memory, limits: max_decoded_bytes allows "
            f"{limits.max_decoded_bytes:,}. Deliver it in parts or as Parquet, or allow more"
        )


def _typed(
    path: Path, csv_bytes: CsvBytes, texts: pa.Table, source: SourceContract, unknown: tuple[str, ...]
) -> CsvRows:
    faults = pa.chunked_array([pa.nulls(texts.num_rows, pa.string())])
    columns = []
    for column in source.columns:
        cells = texts.column(column.name)
        _require_short(path, csv_bytes, cells, column, source)
        if column.type == "timestamp":
            is_60 = pc.fill_null(pc.match_substring_regex(cells, _SECOND_60), False)
            told = f"{column.name}: on a clock of sixty seconds"
            faults = pc.if_else(is_60, pa.scalar(told), faults)
            cells = pc.if_else(is_60, pa.scalar(None, pa.string()), cells)
        columns.append(_converted(path, csv_bytes, cells, column))
        if column.timezone:
            faults = pc.coalesce(faults, instants_of(cells, column.name, column.timezone).faults)
    return CsvRows(pa.table(columns, names=list(source.column_names)), faults, unknown)


def _require_short(
    path: Path, csv_bytes: CsvBytes, cells: pa.ChunkedArray, column: ColumnContract, source: SourceContract
) -> None:
    is_long = pc.greater(pc.binary_length(cells), source.limits.max_cell_bytes)
    row = pc.index(is_long, pa.scalar(True)).as_py()
    if row >= 0:
        raise DeliveryError(
            f"{shown(path)}, line {csv_bytes.line_of_row(row)}, column {column.name}: a text of more than "
            f"{source.limits.max_cell_bytes:,} bytes (limits: max_cell_bytes). Correct the file and run again"
        )


def _converted(path: Path, csv_bytes: CsvBytes, cells: pa.ChunkedArray, column: ColumnContract) -> pa.ChunkedArray:
    if column.type == "string":
        return cells
    for rule in CELL_RULES:
        row = pc.index(rule(cells, column), pa.scalar(False)).as_py()
        if row >= 0:
            raise _unreadable(path, csv_bytes, cells, row, column)
    try:
        return _cast(cells, column)
    except pa.ArrowInvalid as error:
        row = _first_that_fails(cells, lambda part: _cast(part, column))
        raise _unreadable(path, csv_bytes, cells, row, column) from error


def _cast(cells: pa.ChunkedArray, column: ColumnContract) -> pa.ChunkedArray:
    if column.timezone:
        return instants_of(cells, column.name, column.timezone).values
    if column.type == "boolean":
        return pc.equal(pc.ascii_lower(cells), "true")
    return cells.cast(ARROW_TYPES[column.type])


def _first_that_fails(cells: pa.ChunkedArray, convert: Callable[[pa.ChunkedArray], object]) -> int:
    """Position of the first cell that ``convert`` refuses; there is one."""
    first, length = 0, len(cells)
    while length > 1:
        half = length // 2
        try:
            convert(cells.slice(first, half))
        except pa.ArrowInvalid:
            length = half
        else:
            first, length = first + half, length - half
    return first


def _unreadable(
    path: Path, csv_bytes: CsvBytes, cells: pa.ChunkedArray, row: int, column: ColumnContract
) -> DeliveryError:
    value = "a personal value" if column.pii else repr(shown(cells[row].as_py()))
    hint = " (the header stands in the file twice)" if cells[row].as_py() == column.name else ""
    return DeliveryError(
        f"{shown(path)}, line {csv_bytes.line_of_row(row)}, column {column.name}: {value} is not {_MEANT[column.type]}"
        f"{hint}. Correct the file and run again"
    )

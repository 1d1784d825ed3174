"""Answers of the catalog as CSV or XLSX: text stays text, whatever a spreadsheet would make of it.

The published Parquet is not touched: what is neutralised is the copy that a person opens.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from ml_pipeline.io.catalog import identifier, quoted
from ml_pipeline.io.duckdb_connections import lock_down
from ml_pipeline.io.files import replace_durably, sync_file
from ml_pipeline.io.spreadsheet_cells import Cell, cell

SUFFIXES = (".csv", ".xlsx")
MOST_ROWS = 1_000_000
_ROWS_AT_ONCE = 10_000
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_MOST_COLUMNS, _MOST_LETTERS = 16_384, 32_767
# A sheet counts days from then.
_FIRST_YEAR = 1900


class ExportRefusedError(ValueError):
    """The answer cannot be exported as it is; nothing was written."""


def export(warehouse: Path, asked: str, target: Path, *, most_rows: int = MOST_ROWS) -> int:
    """Write the answer to ``asked`` (a view's name or one select) to ``target``, whole or not at all; returns its rows.

    Raises:
        ExportRefusedError: another file type, no single select, more than ``most_rows`` rows, or more than XLSX can hold.
        duckdb.Error: the query cannot be answered.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise ExportRefusedError(f"{target.name}: exports are {' or '.join(SUFFIXES)}; name such a file")
    aside = target.with_name(f".{target.name}.{os.getpid()}.aside")
    with duckdb.connect(str(warehouse), read_only=True, config=_CONFIG) as connection:
        connection.execute("set TimeZone = 'UTC'")
        # A select may name any file: here it finds those that the views are made of, and no other.
        connection.execute(f"set allowed_directories = [{quoted(str(warehouse.parent))}]")
        lock_down(connection)
        connection.execute(_select(connection, asked))
        names = [str(cell(column[0])) for column in connection.description or []]
        counted = _Counted(_cells(connection), most_rows)
        write = _write_csv if target.suffix.lower() == ".csv" else _write_xlsx
        try:
            write(aside, names, counted)
            sync_file(aside)
            replace_durably(aside, target)
        finally:
            aside.unlink(missing_ok=True)
    return counted.rows


def _select(connection: duckdb.DuckDBPyConnection, asked: str) -> str:
    views = {
        name for (name,) in connection.execute("select view_name from duckdb_views() where not internal").fetchall()
    }
    if asked.strip() in views:
        return f"from {identifier(asked.strip())}"
    statements = duckdb.extract_statements(asked)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ExportRefusedError("an export is one select, or the name of a view; write that")
    return asked


def _cells(connection: duckdb.DuckDBPyConnection) -> Iterator[list[Cell]]:
    while rows := connection.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            yield [cell(value) for value in row]


class _Counted:
    """Rows, counted as they pass; one too many is refused, never left out in silence."""

    def __init__(self, rows: Iterable[list[Cell]], most_rows: int) -> None:
        self._rows, self._most_rows, self.rows = rows, most_rows, 0

    def __iter__(self) -> Iterator[list[Cell]]:
        for row in self._rows:
            self.rows += 1
            if self.rows > self._most_rows:
                raise ExportRefusedError(
                    f"the answer has more than {self._most_rows:,} rows; ask for fewer (where, limit), or read the views"
                )
            yield row


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[list[Cell]]) -> None:
    # All text in quotes: a program that parts fields at another sign does not find a second field in one.
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_in_csv(value) for value in row] for row in rows)


def _in_csv(value: Cell) -> Cell:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else value


def _write_xlsx(path: Path, names: Sequence[str], rows: Iterable[list[Cell]]) -> None:
    import xlsxwriter

    if len(names) > _MOST_COLUMNS:
        raise ExportRefusedError(f"the answer has {len(names):,} columns, XLSX holds {_MOST_COLUMNS:,}; use .csv")
    # A workbook says when it was made: one that says the same of every answer keeps equal answers equal.
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001 - a workbook knows no zone
        formats = {
            kind: book.add_format({"num_format": shown})
            for kind, shown in ((datetime, "yyyy-mm-dd hh:mm:ss"), (date, "yyyy-mm-dd"))
        }
        sheet = book.add_worksheet("answer")
        sheet.freeze_panes(1, 0)
        for row, values in enumerate(_with_header(names, rows)):
            for column, value in enumerate(values):
                _put(sheet, row, column, value, formats)


def _with_header(names: Sequence[str], rows: Iterable[list[Cell]]) -> Iterator[Sequence[Cell]]:
    yield list(names)
    yield from rows


def _put(sheet: Any, row: int, column: int, value: Cell, formats: Mapping[type[date], Any]) -> None:
    """Each kind by its own method: the general one guesses, and takes text for a formula or a link."""
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value)
    elif isinstance(value, date) and value.year < _FIRST_YEAR:
        sheet.write_string(row, column, value.isoformat())
    elif isinstance(value, datetime):
        # Sheets know no time zone; the connection answers in UTC.
        sheet.write_datetime(row, column, value.replace(tzinfo=None), formats[datetime])
    elif isinstance(value, date):
        sheet.write_datetime(row, column, value, formats[date])
    elif isinstance(value, str):
        if len(value) > _MOST_LETTERS:
            raise ExportRefusedError(
                f"row {row}: a text of {len(value):,} letters, XLSX holds {_MOST_LETTERS:,}; use .csv"
            )
        sheet.write_string(row, column, value)

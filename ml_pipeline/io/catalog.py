"""The analysts' door: ``warehouse.duckdb`` and ``views.sql``, views and macros over the explicit files of one version.

A glob over a live table is not safe with DuckDB, whatever the rename trick: a query opens a path twice and lists a glob
twice. A literal file list is a snapshot. The database is built aside, closed, fsynced and renamed over the old one, so a
reader has the old catalog or the new one, and nobody who queries can block the pipeline.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from ml_pipeline.io.duckdb_connections import utc_connection
from ml_pipeline.io.files import replace_durably, sync_file, write_durably
from ml_pipeline.io.locks import exclusive_lock

WAREHOUSE = "warehouse.duckdb"
VIEWS = "views.sql"


@dataclass(frozen=True)
class View:
    """A view by name: its select, what it holds in one sentence, and what its columns mean."""

    name: str
    sql: str
    comment: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Macro:
    """A table function by name: its parameters, its select over views, and what it answers in one sentence."""

    name: str
    parameters: tuple[str, ...]
    sql: str
    comment: str


def files_select(
    files: Sequence[Path], schema: pa.Schema, *, is_named: bool = False, has_grown: bool = False
) -> str:  # fmt: skip
    """A select over exactly ``files``, or one without rows of the same columns; ``is_named`` adds the file of each row.

    With ``has_grown`` files may lack columns, which are null then.
    """
    columns = ", ".join([*(f'"{name}"' for name in schema.names), *(["filename"] if is_named else [])])
    typed = ", ".join(f'null::{_sql_type(field.type)} as "{field.name}"' for field in schema)
    nothing = f"select {typed} where false"
    if not files:
        return nothing
    listed = ", ".join(quoted(str(path)) for path in files)
    read = f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{'score_date': date}}"
    if has_grown:
        return f"select {columns} from ({nothing} union all by name select * from {read}, union_by_name = true))"
    return f"select {columns} from {read})"


def json_select(files: Sequence[Path], columns: dict[str, str]) -> str:
    """A select over the entries of a ledger, or one without rows."""
    if not files:
        return "select " + ", ".join(f'null::{kind} as "{name}"' for name, kind in columns.items()) + " where false"
    listed = ", ".join(quoted(str(path)) for path in files)
    typed = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
    return f"select * from read_json([{listed}], columns = {{{typed}}})"


def quoted(text: str) -> str:
    """``text`` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """``name`` as an SQL identifier, also where it is a word of SQL, such as a source called ``order``."""
    return '"' + name.replace('"', '""') + '"'


def write_catalog(root: Path, entries: Sequence[View | Macro]) -> bool:
    """Publish ``entries``, each may read those before it; False if the catalog says the same already.

    ``views.sql`` holds the same for a session that is open already.

    Raises:
        duckdb.Error: a column is described that its view does not have, or DuckDB refuses an entry.
    """
    session = "".join(f"{statement};\n" for entry in entries for statement in _statements(entry, "or replace temp "))
    warehouse = root / WAREHOUSE
    with exclusive_lock(root / "locks" / "catalog.lock"):
        if warehouse.exists() and (root / VIEWS).exists() and (root / VIEWS).read_text(encoding="utf-8") == session:
            return False
        aside = root / f".{WAREHOUSE}.{os.getpid()}.aside"
        aside.unlink(missing_ok=True)
        _build(aside, entries)
        sync_file(aside)
        aside.chmod(0o444)
        # A log left by somebody who opened the old file for writing would make the new one unreadable.
        (root / f"{WAREHOUSE}.wal").unlink(missing_ok=True)
        replace_durably(aside, warehouse)
        write_durably(root / VIEWS, session.encode(), mode=0o444)
        return True


def _build(path: Path, entries: Sequence[View | Macro]) -> None:
    with utc_connection(below=path.parent) as connection:
        connection.execute(f"attach {quoted(str(path))} as built")
        connection.execute("use built")
        # One transaction: each statement on its own would write and sync the log, 2 ms for each column's comment.
        connection.execute("begin")
        for entry in entries:
            try:
                for statement in _statements(entry, ""):
                    connection.execute(statement)
            except duckdb.Error as error:
                raise duckdb.Error(f"the catalog's {entry.name} cannot be made: {error}") from error
        connection.execute("commit")
        connection.execute("use memory")
        connection.execute("detach built")


def _statements(entry: View | Macro, how: str) -> list[str]:
    name = identifier(entry.name)
    if isinstance(entry, Macro):
        call = f"{name}({', '.join(entry.parameters)})"
        return [
            f"create {how}macro {call} as table {entry.sql}",
            f"comment on macro table {name} is {quoted(entry.comment)}",
        ]
    return [
        f"create {how}view {name} as {entry.sql}",
        f"comment on view {name} is {quoted(entry.comment)}",
        *(f"comment on column {name}.{identifier(column)} is {quoted(text)}" for column, text in entry.columns.items()),
    ]


def _sql_type(kind: pa.DataType) -> str:
    names = {
        pa.string(): "varchar", pa.int64(): "bigint", pa.float64(): "double", pa.bool_(): "boolean", pa.date32(): "date",
    }  # fmt: skip
    return names.get(kind, "timestamptz")

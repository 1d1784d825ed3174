"""The analysts' door: ``warehouse.duckdb`` and ``views.sql``, views and macros over the explicit files of one version.

A glob over a live table is not safe with DuckDB, whatever the rename trick: a query opens a path twice and lists a glob
twice. A literal file list is a snapshot. The database is built aside, closed, fsynced and renamed over the old one, so a
reader has the old catalog or the new one, and nobody who queries can block the pipeline.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from ml_pipeline.io.catalog_database import CatalogEntry, build_database, identifier, quoted, renew_database
from ml_pipeline.io.files import replace_durably, sha256_of, sync_file, write_durably
from ml_pipeline.io.locks import exclusive_lock

__all__ = [
    "VIEWS",
    "WAREHOUSE",
    "Macro",
    "View",
    "files_select",
    "identifier",
    "json_select",
    "quoted",
    "write_catalog",
]

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


def write_catalog(root: Path, entries: Sequence[View | Macro]) -> bool:
    """Publish ``entries``, each may read those before it; False if the catalog says the same already.

    ``views.sql`` holds the same for a session that is open already. Its first line names the database that it describes,
    by hash, and the hash of each entry: in a database that is this one, only entries that are others are made anew.

    Raises:
        duckdb.Error: a column is described that its view does not have, or DuckDB refuses an entry.
    """
    made = [_entry(entry) for entry in entries]
    texts = ["".join(f"{statement};\n" for statement in entry.statements("or replace temp ")) for entry in made]
    hashes = [(entry.name, sha256(text.encode()).hexdigest()) for entry, text in zip(made, texts, strict=True)]
    warehouse, views = root / WAREHOUSE, root / VIEWS
    with exclusive_lock(root / "locks" / "catalog.lock"):
        before = views.read_text(encoding="utf-8") if warehouse.exists() and views.exists() else ""
        if before and before == _script(warehouse, hashes, texts):
            return False
        aside = root / f".{WAREHOUSE}.{os.getpid()}.aside"
        aside.unlink(missing_ok=True)
        new = _new_entries(before, warehouse, made, hashes)
        if new is None or not renew_database(aside, warehouse, new):
            aside.unlink(missing_ok=True)
            build_database(aside, made)
        sync_file(aside)
        aside.chmod(0o444)
        script = _script(aside, hashes, texts)
        # A log left by somebody who opened the old file for writing would make the new one unreadable.
        (root / f"{WAREHOUSE}.wal").unlink(missing_ok=True)
        replace_durably(aside, warehouse)
        write_durably(views, script.encode(), mode=0o444)
        return True


def _script(warehouse: Path, hashes: Sequence[tuple[str, str]], texts: Sequence[str]) -> str:
    return f"-- {json.dumps({'database': sha256_of(warehouse), 'entries': hashes})}\n{''.join(texts)}"


def _new_entries(
    before: str, warehouse: Path, made: Sequence[CatalogEntry], hashes: Sequence[tuple[str, str]]
) -> list[CatalogEntry] | None:
    """What the published database lacks of ``made``; None if it is not what ``before`` describes, or has other entries."""
    try:
        told = json.loads(before.partition("\n")[0].removeprefix("-- "))
        known, described = [tuple(entry) for entry in told["entries"]], told["database"]
    except (ValueError, KeyError, TypeError):
        return None
    if [name for name, _ in known] != [name for name, _ in hashes] or sha256_of(warehouse) != described:
        return None
    return [entry for entry, one, other in zip(made, known, hashes, strict=True) if one != other]


def _entry(entry: View | Macro) -> CatalogEntry:
    name = identifier(entry.name)
    if isinstance(entry, Macro):
        made = f"macro {name}({', '.join(entry.parameters)}) as table {entry.sql}"
        return CatalogEntry(
            entry.name, made, (f"comment on macro table {name} is {quoted(entry.comment)}",), is_view=False
        )
    comments = (
        f"comment on view {name} is {quoted(entry.comment)}",
        *(f"comment on column {name}.{identifier(column)} is {quoted(text)}" for column, text in entry.columns.items()),
    )
    return CatalogEntry(entry.name, f"view {name} as {entry.sql}", comments, is_view=True)


def _sql_type(kind: pa.DataType) -> str:
    names = {
        pa.string(): "varchar", pa.int64(): "bigint", pa.float64(): "double", pa.bool_(): "boolean", pa.date32(): "date",
    }  # fmt: skip
    return names.get(kind, "timestamptz")

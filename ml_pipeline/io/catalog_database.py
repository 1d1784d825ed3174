"""The database of the catalog's views and macros: built whole, or a copy in which only some entries are new."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ml_pipeline.io.duckdb_connections import utc_connection


@dataclass(frozen=True)
class CatalogEntry:
    """A view or a macro in SQL.

    Attributes:
        name: as it is, without quotation marks.
        create: what follows ``create``, ``create or replace`` or ``create or replace temp``.
        comments: statements that say what it and its columns mean.
        is_view: whether it is a view.
    """

    name: str
    create: str
    comments: tuple[str, ...]
    is_view: bool

    def statements(self, how: str = "") -> tuple[str, ...]:
        """What makes it; ``how`` follows ``create``."""
        return f"create {how}{self.create}", *self.comments


def build_database(path: Path, entries: Sequence[CatalogEntry]) -> None:
    """Make the database ``path`` of ``entries``; each may read those before it.

    Raises:
        duckdb.Error: DuckDB refuses an entry, which is named.
    """
    with _transaction(path) as connection:
        for entry in entries:
            _make(connection, entry, "")


def renew_database(path: Path, old: Path, entries: Sequence[CatalogEntry]) -> bool:
    """Make ``path`` a copy of ``old`` in which ``entries`` are new; False if it has to be built whole.

    It has to where the columns of a view become others, because views that read it are bound to what it had, and where
    DuckDB refuses: building it whole says why.
    """
    shutil.copyfile(old, path)
    with suppress(duckdb.Error), _transaction(path) as connection:
        before = [_columns(connection, entry) for entry in entries]
        for entry in entries:
            _make(connection, entry, "or replace ")
        return before == [_columns(connection, entry) for entry in entries]
    return False


@contextmanager
def _transaction(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with utc_connection(below=path.parent) as connection:
        connection.execute(f"attach {quoted(str(path))} as built")
        connection.execute("use built")
        # One transaction: each statement on its own would write and sync the log, 2 ms for each column's comment.
        connection.execute("begin")
        yield connection
        connection.execute("commit")
        connection.execute("use memory")
        connection.execute("detach built")


def _make(connection: duckdb.DuckDBPyConnection, entry: CatalogEntry, how: str) -> None:
    try:
        for statement in entry.statements(how):
            connection.execute(statement)
    except duckdb.Error as error:
        raise duckdb.Error(f"the catalog's {entry.name} cannot be made: {error}") from error


def _columns(connection: duckdb.DuckDBPyConnection, entry: CatalogEntry) -> list[tuple[str, ...]]:
    """Names and types; a macro's are found out when it is called."""
    return connection.execute(f"describe {identifier(entry.name)}").fetchall() if entry.is_view else []


def quoted(text: str) -> str:
    """``text`` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """``name`` as an SQL identifier, also where it is a word of SQL, such as a source called ``order``."""
    return '"' + name.replace('"', '""') + '"'

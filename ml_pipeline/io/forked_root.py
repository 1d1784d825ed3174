"""Forks a data root: another root with the same past, which costs no copy of its files.

What is published never changes: Parquet files, commits, receipts, ledger entries and bundles are written once and only ever
replaced by name. So they are linked; what SQLite rewrites in place is copied.
"""

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

_DATABASES = (".db", ".sqlite")
# Of one root alone: what stands for running processes, for its runs, or for its readers.
_NOT_SHARED = ("locks", "dagster_home", "warehouse.duckdb", "views.sql", "replay", "bench")


def fork_tables(source: Path, target: Path, tables: Sequence[str]) -> None:
    """Give the root ``target`` the ``tables`` of ``source`` as they are now, with their receipts."""
    for table in tables:
        for folder in (Path(table), Path("receipts") / table):
            if (source / folder).is_dir():
                _link(source / folder, target / folder)


def fork_root(source: Path, target: Path) -> None:
    """Make ``target`` a root with everything that ``source`` has published, decided and made.

    Nobody may write to ``source`` meanwhile. MLflow keeps absolute paths: what it logged before stays in ``source``.

    Raises:
        FileExistsError: ``target`` is there already.
    """
    target.mkdir(parents=True)
    for entry in sorted(source.iterdir()):
        if entry.name in _NOT_SHARED or entry.name.endswith(("-wal", "-shm", "-journal")):
            continue
        if entry.is_dir():
            _link(entry, target / entry.name)
        elif entry.suffix in _DATABASES:
            _copy_database(entry, target / entry.name)
        else:
            shutil.copy2(entry, target / entry.name)


def _link(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=_link_file, dirs_exist_ok=True)


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or one without links.
        shutil.copy2(source, target)


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)

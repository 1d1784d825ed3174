"""DuckDB connections of the pipeline: UTC, no extensions from the network, a fixed number of threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import duckdb

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    # A month of nights takes about 0.6 GB. Without a limit DuckDB takes 80 % of the machine, each process for itself,
    # and a model that fans out ends in the kernel's killer instead of in an error that names it.
    "memory_limit": "2GB",
}


@contextmanager
def utc_connection(*, threads: int = 2, below: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory connection in UTC, for the length of the block.

    Args:
        threads: of DuckDB.
        below: the only folder whose files it opens, locked from the start; None for a connection that loads files and is
            locked by ``lock_down`` before it runs anything that was not written here.
    """
    connection = duckdb.connect(":memory:", config=_CONFIG | {"threads": threads})
    try:
        # The machine's time zone must not reach a cast from instant to day.
        connection.execute("set TimeZone = 'UTC'")
        if below is not None:
            _allow_only(connection, below)
        yield connection
    finally:
        connection.close()


@contextmanager
def file_reader(below: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for reading files of one folder and nothing else: a cursor on a locked database of this process.

    Making a database takes 15 ms of work, and a night reads fifty times. Nothing may be created in it or set on it.
    """
    cursor = _reading_database(os.getpid(), below).cursor()
    try:
        yield cursor
    finally:
        cursor.close()


@lru_cache(maxsize=4)
def _reading_database(_process: int, below: Path) -> duckdb.DuckDBPyConnection:
    # What was read is not read again in a run; kept, it would grow to the memory limit.
    config = _CONFIG | {"threads": 2, "enable_external_file_cache": False}
    connection = duckdb.connect(":memory:", config=config)
    # Of the database, not of this connection: no cursor can set it once the configuration is locked.
    connection.execute("set global TimeZone = 'UTC'")
    _allow_only(connection, below)
    return connection


@contextmanager
def analyst_connection(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The catalog, read-only, for questions: it opens files below the catalog's folder and fetches nothing."""
    unlimited = {name: setting for name, setting in _CONFIG.items() if name != "memory_limit"}
    connection = duckdb.connect(str(warehouse), read_only=True, config=unlimited)
    try:
        connection.execute("set TimeZone = 'UTC'")
        _allow_only(connection, warehouse.parent)
        yield connection
    finally:
        connection.close()


def _allow_only(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    connection.execute("set allowed_directories = $folders", {"folders": sorted({str(folder), str(folder.absolute())})})
    lock_down(connection)


def lock_down(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on ``connection`` opens no file but those it was allowed, no network, and nobody can switch that on."""
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")

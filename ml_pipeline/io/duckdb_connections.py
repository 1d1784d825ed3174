"""DuckDB connections of the pipeline: UTC, no extensions from the network, a fixed number of threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

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
def utc_connection(*, threads: int = 2) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory connection that may read files, in UTC, for the length of the block."""
    connection = duckdb.connect(":memory:", config=_CONFIG | {"threads": threads})
    try:
        # The machine's time zone must not reach a cast from instant to day.
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


@contextmanager
def file_reader() -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for reading files and nothing else: a cursor on one database of this process.

    Making a database takes 15 ms of work, and a night reads fifty times. Nothing may be created in it or set on it.
    """
    cursor = _reading_database(os.getpid()).cursor()
    try:
        cursor.execute("set TimeZone = 'UTC'")
        yield cursor
    finally:
        cursor.close()


@lru_cache(maxsize=1)
def _reading_database(_process: int) -> duckdb.DuckDBPyConnection:
    # What was read is not read again in a run; kept, it would grow to the memory limit.
    return duckdb.connect(":memory:", config=_CONFIG | {"threads": 2, "enable_external_file_cache": False})


def lock_down(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on ``connection`` opens no file and no network, and nobody can switch that back on."""
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")

"""What the Delta logs say of each night, kept in a small SQLite file so that a night need not read years of commits.

Opening a Delta table lists its whole log: 2 ms after a year of nightly commits and 16 ms after ten, for every table and
every question. Here a table's part is caught up by looking for the one commit after the last that is known.

It is a cache of the logs, read anew where it does not match them (a restored backup, a table made again), and made again
where it is lost or broken. One thing only stands nowhere else: from which inputs a night was built again with the same
result, which makes no commit. Where that is lost, work is repeated and nothing is wrong.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ml_pipeline.io.delta_log import commit_path, fingerprint, read_commit
from ml_pipeline.io.published_nights import Publication, PublishedNight
from ml_pipeline.nights import Night

_TABLES = """
create table if not exists watermarks (table_name text primary key, version integer, fingerprint text);
create table if not exists nights (
    table_name text, night text, version integer, content_hash text, inputs_hash text, rows integer, facts text,
    primary key (table_name, night, version)) without rowid;
create table if not exists files (
    table_name text, night text, path text, added integer, removed integer,
    primary key (table_name, night, path)) without rowid;
create table if not exists commits (
    table_name text, version integer, published_at_ms integer, primary key (table_name, version)) without rowid;
create table if not exists built_from (
    table_name text, night text, content_hash text, inputs_hash text,
    primary key (table_name, night, content_hash)) without rowid;
"""
# The commit that a night's facts come from is the newest one not after ``version``; SQLite takes the other columns of a
# row that has the maximum from that row (its documentation, "Bare columns in an aggregate query").
_NIGHTS = """
select night, content_hash, coalesce(built_from.inputs_hash, newest.inputs_hash), rows, facts
from (
    select table_name, night, max(version), content_hash, inputs_hash, rows, facts from nights
    where table_name = ? and version <= ? and night between ? and ?
    group by night
) as newest
left join built_from using (table_name, night, content_hash)
where rows >= ?
order by night
"""
_FILES = """
select night, path from files
where table_name = ? and added <= ? and (removed is null or removed > ?) and night between ? and ?
order by night, path
"""
_EVERY_FILE = "select night, path, added from files where table_name = ? order by night, added, path"
_PUBLICATIONS = """
select version, published_at_ms, night, rows
from nights inner join commits using (table_name, version)
where table_name = ?
order by night, version
"""
_NEWEST = 1 << 62
# An index of an earlier make is read anew: it lacks what this one is asked for.
_MAKE = "2"

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class NightIndex:
    """One SQLite file for all tables below ``root``."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / "night_index.sqlite"

    def version(self, table: str) -> int:
        """Version of the newest commit of ``table``, -1 if there is none."""
        return self._ask(lambda connection: _catch_up(connection, table, self.root / table))

    def nights(
        self, table: str, *, version: int | None, wanted: Sequence[Night] | None, least_rows: int = 0
    ) -> dict[Night, PublishedNight]:
        """Every published night of ``table`` as of ``version``, in night order: those of ``wanted``, of enough rows."""
        question = (table, _NEWEST if version is None else version, *_bounds(wanted), least_rows)
        found = self._ask_of(table, _NIGHTS, question)
        chosen = None if wanted is None else {str(night) for night in wanted}
        return {
            Night.fromisoformat(night): PublishedNight(content_hash, inputs_hash, rows, json.loads(facts))
            for night, content_hash, inputs_hash, rows, facts in found
            if chosen is None or night in chosen
        }

    def files(self, table: str, *, version: int | None, wanted: Sequence[Night] | None) -> list[str]:
        """Paths, below the table's folder, of the files of ``wanted`` nights (all, if None) as of ``version``."""
        as_of = _NEWEST if version is None else version
        found = self._ask_of(table, _FILES, (table, as_of, as_of, *_bounds(wanted)))
        chosen = None if wanted is None else {str(night) for night in wanted}
        return [path for night, path in found if chosen is None or night in chosen]

    def every_file(self, table: str) -> list[tuple[str, str, int]]:
        """(night, path, version that added it) of every file that was ever part of ``table``."""
        return [(night, path, added) for night, path, added in self._ask_of(table, _EVERY_FILE, (table,))]

    def publications(self, table: str) -> list[Publication]:
        """Every time that a night of ``table`` was published, also with no row, in night order and then in time."""
        return [
            Publication(version, _instant(at), Night.fromisoformat(night), rows)
            for version, at, night, rows in self._ask_of(table, _PUBLICATIONS, (table,))
        ]

    def remember(self, table: str, inputs_hashes: Mapping[tuple[Night, str], str]) -> None:
        """Note that the content (a hash) of these nights also comes from these inputs."""
        entries = [(table, str(night), content, inputs) for (night, content), inputs in inputs_hashes.items()]
        if entries:
            self._ask(
                lambda connection: connection.executemany(
                    "insert or replace into built_from values (?, ?, ?, ?)", entries
                )
            )

    def _ask_of(self, table: str, sql: str, question: tuple[object, ...]) -> list[tuple[Any, ...]]:
        def answer(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            _catch_up(connection, table, self.root / table)
            return connection.execute(sql, question).fetchall()

        return self._ask(answer)

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            with self._opened() as connection:
                return question(connection)
        except sqlite3.OperationalError:
            raise  # locked for too long, or no space: nothing that making the file anew would mend
        except sqlite3.DatabaseError:
            self.path.unlink(missing_ok=True)
            with self._opened() as connection:
                return question(connection)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # Who may only read the data root gets an index of its own, for the length of the question.
        is_writable = os.access(self.path if self.path.exists() else self.root, os.W_OK)
        with closing(sqlite3.connect(self.path if is_writable else ":memory:", timeout=60)) as connection, connection:
            connection.executescript(_TABLES)
            yield connection


def _bounds(wanted: Sequence[Night] | None) -> tuple[str, str]:
    if wanted is None:
        return ("", "9999")
    return (str(min(wanted)), str(max(wanted))) if wanted else ("9999", "")


def _catch_up(connection: sqlite3.Connection, table: str, folder: Path) -> int:
    """Read the commits that are not known yet; returns the version of the newest one."""
    known = connection.execute("select version, fingerprint from watermarks where table_name = ?", (table,)).fetchone()
    version = known[0] if known and _fingerprint(folder, known[0]) == known[1] else -1
    if known and version == -1:
        for name in ("nights", "files", "commits", "watermarks"):
            connection.execute(f"delete from {name} where table_name = ?", (table,))
    newest = version
    while commit_path(folder, newest + 1).exists():
        newest += 1
        _take(connection, table, folder, newest)
    if newest > version:
        entry = (table, newest, _fingerprint(folder, newest))
        connection.execute("insert or replace into watermarks values (?, ?, ?)", entry)
    return newest


def _fingerprint(folder: Path, version: int) -> str:
    return f"{_MAKE} {fingerprint(folder, version)}"


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _take(connection: sqlite3.Connection, table: str, folder: Path, version: int) -> None:
    commit = read_commit(folder, version)
    # A clock that went back does not put a later commit before an earlier one (Delta's reader mends it in the same way).
    connection.execute(
        "insert or replace into commits select ?, ?, max(?, coalesce(max(published_at_ms), 0)) from commits "
        "where table_name = ? and version < ?",
        (table, version, commit.written_at_ms, table, version),
    )
    connection.executemany(
        "update files set removed = ? where table_name = ? and night = ? and path = ?",
        [(version, table, night, path) for night, path in commit.removed],
    )
    connection.executemany(
        "insert or replace into files values (?, ?, ?, ?, null)",
        [(table, night, path, version) for night, path in commit.added],
    )
    connection.executemany(
        "insert or replace into nights values (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                table,
                night,
                version,
                facts["content_hash"],
                facts["inputs_hash"],
                facts["rows"],
                json.dumps(facts["facts"]),
            )
            for night, facts in commit.nights.items()
        ],
    )

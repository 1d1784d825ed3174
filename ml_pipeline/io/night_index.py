"""What the Delta logs say of each night, kept in a small SQLite file so that a night need not read years of commits.

It is a cache of the logs: each table's part is caught up from its log before it answers, and is read anew where it does
not match the log (a restored backup, a table made again). Where the file is lost or broken it is made again. One thing
only stands nowhere else: from which inputs a night was built again with the same result, which makes no commit. Where
that is lost, work is repeated and nothing is wrong.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ml_pipeline.io.published_nights import PublishedNight
from ml_pipeline.nights import Night

NIGHTS_KEY = "nights"
_TABLES = """
create table if not exists watermarks (table_name text primary key, version integer, fingerprint text);
create table if not exists nights (
    table_name text, night text, version integer, content_hash text, inputs_hash text, rows integer, facts text,
    primary key (table_name, night, version)) without rowid;
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
order by night
"""

Answer = TypeVar("Answer")


class Log(Protocol):
    """What is used of a Delta table's log."""

    def version(self) -> int: ...

    def history(self, limit: int | None = None) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class NightIndex:
    """One SQLite file for all tables of a data root."""

    path: Path

    def nights(
        self, table: str, log: Log, log_folder: Path, *, version: int, wanted: Sequence[Night] | None
    ) -> dict[Night, PublishedNight]:
        """Every published night of ``table`` (of ``wanted``, if given) as of ``version``, in night order."""
        first, last = (str(min(wanted)), str(max(wanted))) if wanted else ("", "9999")
        if wanted is not None and not wanted:
            return {}

        def answer(connection: sqlite3.Connection) -> list[tuple[str, str, str, int, str]]:
            _catch_up(connection, table, log, log_folder)
            return connection.execute(_NIGHTS, (table, version, first, last)).fetchall()

        chosen = None if wanted is None else {str(night) for night in wanted}
        return {
            Night.fromisoformat(night): PublishedNight(content_hash, inputs_hash, rows, json.loads(facts))
            for night, content_hash, inputs_hash, rows, facts in self._ask(answer)
            if chosen is None or night in chosen
        }

    def remember(self, table: str, inputs_hashes: Mapping[tuple[Night, str], str]) -> None:
        """Note that the content (a hash) of these nights also comes from these inputs."""
        entries = [(table, str(night), content, inputs) for (night, content), inputs in inputs_hashes.items()]
        if entries:
            self._ask(
                lambda connection: connection.executemany(
                    "insert or replace into built_from values (?, ?, ?, ?)", entries
                )
            )

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
        is_writable = os.access(self.path if self.path.exists() else self.path.parent, os.W_OK)
        with closing(sqlite3.connect(self.path if is_writable else ":memory:", timeout=60)) as connection, connection:
            connection.executescript(_TABLES)
            yield connection


def _catch_up(connection: sqlite3.Connection, table: str, log: Log, log_folder: Path) -> None:
    version = log.version()
    known = connection.execute("select version, fingerprint from watermarks where table_name = ?", (table,)).fetchone()
    if known and known[0] <= version and known[1] == _fingerprint(log_folder, known[0]):
        since = known[0]
    else:
        since = -1
        connection.execute("delete from nights where table_name = ?", (table,))
    if since == version:
        return
    commits = log.history(limit=version - since)
    connection.executemany(
        "insert or replace into nights values (?, ?, ?, ?, ?, ?, ?)",
        [
            (table, night, commit["version"], facts["content_hash"], facts["inputs_hash"], facts["rows"],
             json.dumps(facts["facts"]))
            for commit in commits
            for night, facts in json.loads(commit.get(NIGHTS_KEY, "{}")).items()
        ],
    )  # fmt: skip
    connection.execute(
        "insert or replace into watermarks values (?, ?, ?)", (table, version, _fingerprint(log_folder, version))
    )


def _fingerprint(log_folder: Path, version: int) -> str:
    """Of one commit; a log that was restored and written on has another commit of the same number."""
    try:
        return hashlib.sha256((log_folder / f"{version:020}.json").read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""

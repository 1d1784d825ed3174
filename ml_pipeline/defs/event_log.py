"""Dagster's event log in SQLite with connections that stay open. The files are Dagster's own and stay as they are.

Dagster opens and closes a connection, compiles every statement anew and syncs the disk for each event: 5 to 10 ms of work,
and a range of a year is a thousand events an asset. What is written here is for the UI; tables and ledgers are made durable by
themselves, and a run that a power cut leaves without its last events is found dead as any other.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as db
from dagster import EventLogEntry, StringSource
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

_BUSY_TIMEOUT_SECONDS = 20
# One file a run: whoever looks at many runs must not hold a file open for each.
_MOST_OPEN_FILES = 8


class OpenSqliteEventLog(SqliteEventLogStorage):
    """What ``dagster.yaml`` names; ``base_dir`` is where Dagster keeps this log by default."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, db.Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> Any:
        return {"dagster_home": StringSource}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "OpenSqliteEventLog":
        return cls(str(Path(config_value["dagster_home"]) / "history" / "runs"), inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def store_event(self, event: EventLogEntry) -> None:
        super().store_event(event)
        # The UI waits for a modification of the file itself, which an open write-ahead log does not make.
        os.utime(self.path_for_shard(event.run_id))

    def _engine(self, shard: str) -> db.Engine:
        if shard not in self._engines:
            timeout = {"timeout": _BUSY_TIMEOUT_SECONDS}
            engine = db.create_engine(self.conn_string_for_shard(shard), connect_args=timeout)
            db.event.listen(engine, "connect", _sync_at_checkpoints)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > _MOST_OPEN_FILES:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def wipe(self) -> None:
        self._close()
        super().wipe()

    def dispose(self) -> None:
        super().dispose()
        self._close()

    def _close(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()


def _sync_at_checkpoints(connection: Any, _: object) -> None:
    # With Dagster's write-ahead log this cannot damage the file; a power cut may take the last events.
    connection.execute("pragma synchronous = normal")

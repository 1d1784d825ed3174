"""Found on the path of a process under watch: notes every address it connects to and how its DuckDB connections are set."""

import importlib.util
import json
import os
import sys
from pathlib import Path

_LOG = Path(os.environ["ML_PIPELINE_GUARD_LOG"])
_ASKED = """select current_setting('enable_external_access')::varchar, current_setting('lock_configuration')::varchar,
    current_setting('autoinstall_known_extensions')::varchar, current_setting('autoload_known_extensions')::varchar,
    current_setting('allow_community_extensions')::varchar, current_setting('TimeZone')"""


def _note(kind, what):
    with _LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps([kind, what]) + "\n")


def _watch(event, arguments):
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        _note("address", [getattr(arguments[0].family, "name", "?"), str(arguments[-1])])
    elif event == "socket.getaddrinfo":
        _note("name", [str(arguments[0]), str(arguments[1])])


class _Watched:
    """A DuckDB connection that says how it is set before it is closed, and whenever it gives a cursor."""

    def __init__(self, connection):
        self._connection = connection

    def _tell(self):
        _note("connection", self._connection.execute(_ASKED).fetchall()[0])

    def cursor(self):
        self._tell()
        return self._connection.cursor()

    def close(self):
        self._tell()
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, name):
        return getattr(self._connection, name)


class _Finder:
    """Wraps ``duckdb.connect`` once duckdb has been imported, without importing it in processes that do not."""

    def find_spec(self, name, path=None, target=None):
        if name != "duckdb":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_and_wrap(module):
            load(module)
            whole = module.connect
            module.connect = lambda *arguments, **named: _Watched(whole(*arguments, **named))

        spec.loader.exec_module = load_and_wrap
        return spec


sys.addaudithook(_watch)
sys.meta_path.insert(0, _Finder())

"""Commits of a Delta table, read from its log as the protocol lays it down (Delta Transaction Log Protocol, "Actions").

The tables of the pipeline keep every commit (their log never expires), are partitioned by ``score_date`` and have neither
deletion vectors nor columns under other names, so the JSON of a commit tells all there is.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ml_pipeline.contracts.source import SCORE_DATE

NIGHTS_KEY = "nights"


@dataclass(frozen=True)
class Commit:
    """Attributes:
    added, removed: (night, path below the table's folder) of each file, sorted; writers leave them in any order.
    nights: what the publisher noted of each night that it replaced, by ISO night.
    committed_at: when, as the log says; None if it does not.
    """

    version: int
    added: tuple[tuple[str, str], ...]
    removed: tuple[tuple[str, str], ...]
    nights: dict[str, Any]
    committed_at: datetime | None = None


def commit_path(folder: Path, version: int) -> Path:
    """Where commit ``version`` of the table in ``folder`` lies."""
    return folder / "_delta_log" / f"{version:020}.json"


def fingerprint(folder: Path, version: int) -> str:
    """Of one commit, "" if it is not there: a log that was restored and written on has another commit of that number."""
    try:
        found = commit_path(folder, version).stat()
    except FileNotFoundError:
        return ""
    return f"{found.st_size}-{found.st_mtime_ns}"


def read_commit(folder: Path, version: int) -> Commit:
    """Commit ``version`` of the table in ``folder``."""
    actions = [json.loads(line) for line in commit_path(folder, version).read_text(encoding="utf-8").splitlines()]
    info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    milliseconds = info.get("timestamp")
    committed_at = None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    nights = json.loads(info.get(NIGHTS_KEY, "{}"))
    return Commit(version, _files(actions, "add"), _files(actions, "remove"), nights, committed_at)


def _files(actions: list[dict[str, Any]], kind: str) -> tuple[tuple[str, str], ...]:
    named = [unquote(action[kind]["path"]) for action in actions if kind in action]
    # The folder names the night; a remove action need not repeat the partition.
    return tuple(sorted((path.split("/")[0].removeprefix(f"{SCORE_DATE}="), path) for path in named))

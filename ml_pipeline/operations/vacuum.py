"""Which files nobody needs any more, which are kept and why, and their removal, recorded before the first one goes.

A reader of an earlier catalog, a training that is under way and a person who wants yesterday's answer back name files of
earlier revisions. So a file goes only if a commit replaced it longer ago than the retention, and nothing recorded rests on a
revision that holds it. When that was is what the log says, never the time of a file.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ml_pipeline.contracts.serving import SCORES, SHADOW_SCORES
from ml_pipeline.io.catalog import VIEWS, quoted
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.io.leftovers import leftovers, remove
from ml_pipeline.io.locks import take_lock
from ml_pipeline.io.table_history import StoredFile, table_history, versions_in
from ml_pipeline.operations.site import Site

VACUUMS = "vacuums"
RETENTION = timedelta(days=7)
# What was once said stays: score_revisions shows it, and a night can be restored to it.
_KEPT_WHOLE = (SCORES, SHADOW_SCORES)


@dataclass(frozen=True)
class Removable:
    """A file that nobody needs: ``age`` since it was replaced, or since a writer that died left it."""

    path: Path
    size_bytes: int
    age: timedelta
    reason: str


@dataclass(frozen=True)
class Kept:
    """So many files, of so many bytes, that stay for one ``reason``."""

    reason: str
    files: int
    size_bytes: int


@dataclass(frozen=True)
class Vacuum:
    """Attributes:
    removable: what can go, or went, in the order of paths.
    kept: what stays, by reason.
    is_whole: False if somebody was publishing; files of tables were then not looked at.
    """

    removable: tuple[Removable, ...]
    kept: tuple[Kept, ...]
    is_whole: bool


def plan_vacuum(site: Site, *, now: datetime, retention: timedelta = RETENTION) -> Vacuum:
    """What a vacuum at ``now`` would remove and keep; changes nothing.

    Raises:
        ValueError: the retention is shorter than a day.
    """
    return _under_the_lock(site, now, retention, reason=None)


def vacuum(site: Site, *, reason: str, now: datetime, retention: timedelta = RETENTION) -> Vacuum:
    """Remove what ``plan_vacuum`` names, found anew while nobody publishes; the files and ``reason`` are in the ledger ``vacuums``.

    Raises:
        ValueError: the reason is empty, or the retention is shorter than a day. Nothing was removed.
    """
    if not reason.strip():
        raise ValueError("a vacuum needs a reason: say why the earlier revisions are no longer wanted")
    return _under_the_lock(site, now, retention, reason=reason.strip())


def vacuumed_files(site: Site) -> set[Path]:
    """Every file that was removed on purpose."""
    return {site.data / name for entry in site.ledger(VACUUMS).entries() for name in entry["files"]}


def _under_the_lock(site: Site, now: datetime, retention: timedelta, *, reason: str | None) -> Vacuum:
    if retention < timedelta(days=1):
        raise ValueError(
            f"a retention of {retention} is too short: readers and runs that began before would lose files"
        )
    lock = take_lock(site.tables.publishing_lock)
    try:
        found = _found(site, now, retention, is_alone=lock is not None)
        if reason is not None and found.removable:
            _remove(site, found.removable, retention, reason)
        return found
    finally:
        if lock is not None:
            os.close(lock)


def _remove(site: Site, removable: tuple[Removable, ...], retention: timedelta, reason: str) -> None:
    # The record comes first: what a crash leaves of these files the next vacuum finds again.
    site.ledger(VACUUMS).append({
        "reason": reason, "retention_days": retention / timedelta(days=1),
        "bytes": sum(each.size_bytes for each in removable),
        "files": [str(each.path.relative_to(site.data)) for each in removable],
    })  # fmt: skip
    for each in removable:
        remove(each.path)
        with suppress(OSError):
            each.path.parent.rmdir()


def _found(site: Site, now: datetime, retention: timedelta, *, is_alone: bool) -> Vacuum:
    asides = [_left(path, now, "written aside by a process that died") for path in leftovers(site.data)]
    if not is_alone:
        return Vacuum(tuple(asides), (), is_whole=False)
    tables = site.tables.tables()
    lost = [
        _left(path, now, "no commit ever named it") for table in tables for path in site.tables.uncommitted_files(table)
    ]
    superseded: list[Removable] = []
    kept, sizes = Counter[str](), Counter[str]()
    for file, why in _judged(site, now - retention):
        size = file.path.stat().st_size
        if why is None and file.removed_at is not None:
            superseded.append(Removable(file.path, size, now - file.removed_at, f"replaced by commit {file.removed}"))
        else:
            kept[str(why)] += 1
            sizes[str(why)] += size
    removable = sorted([*asides, *lost, *superseded], key=lambda each: each.path)
    return Vacuum(tuple(removable), tuple(Kept(why, kept[why], sizes[why]) for why in sorted(kept)), is_whole=True)


def _judged(site: Site, before: datetime) -> Iterator[tuple[StoredFile, str | None]]:
    """Every file of every table, and why it is kept; None if nothing speaks for it."""
    histories = {table: table_history(site.data, table) for table in site.tables.tables()}
    recorded: dict[str, set[int]] = {table: set() for table in histories}
    named = [pair for history in histories.values() for pair in history.made_from]
    for table, version in (*named, *_versions_in_ledgers(site)):
        if table in recorded:
            recorded[table].add(version)
    views = site.data / VIEWS
    catalog = views.read_text(encoding="utf-8") if views.exists() else ""
    for table, history in histories.items():
        for file in history.files:
            yield file, _why_kept(file, before, recorded[table], catalog)


def _why_kept(file: StoredFile, before: datetime, recorded: set[int], catalog: str) -> str | None:
    if file.removed_at is None:
        return "live: the newest revision holds it"
    if file.removed_at > before:
        return "replaced within the retention: readers of an earlier catalog may name it"
    if file.table in _KEPT_WHOLE:
        return "every revision of what was said is kept"
    if any(file.is_of(version) for version in recorded):
        return "a training or a published night was made from it and can be made again"
    if quoted(str(file.path)) in catalog:
        return "the catalog names it"
    return None


def _versions_in_ledgers(site: Site) -> Iterator[tuple[str, int]]:
    for folder in sorted(path for path in (site.data / "ledgers").glob("*") if path.is_dir()):
        entries: list[dict[str, Any]] = Ledger(folder).entries()
        yield from versions_in(entries)


def _left(path: Path, now: datetime, reason: str) -> Removable:
    files = [path] if not path.is_dir() else [each for each in path.rglob("*") if each.is_file()]
    age = now - datetime.fromtimestamp(path.lstat().st_mtime, tz=UTC)
    return Removable(path, sum(each.lstat().st_size for each in files), age, reason)

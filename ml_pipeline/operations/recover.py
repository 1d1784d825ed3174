"""After a crash: which runs are dead, and what they left behind.

Nothing published needs repair, because a commit is whole or not there, and locks are the kernel's, which frees them with
their holder. What remains is a record that says "running" for ever, and files that no commit names.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ml_pipeline.io.leftovers import leftovers, remove
from ml_pipeline.io.locks import is_locked, take_lock
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site

# Between the making of a run's record and its first event lie milliseconds.
_STARTS_WITHIN = timedelta(minutes=5)
# Descriptors of the locks that this process holds, by run.
_HELD: dict[str, int] = {}
_RUN_ID = re.compile(r"[0-9a-zA-Z-]{1,64}")


@dataclass(frozen=True)
class RunRecord:
    """What the instance says of a run that has not ended: the process of its newest event (None: no event yet)."""

    run_id: str
    process: int | None
    said_at: datetime


@dataclass(frozen=True)
class Liveness:
    """Whether a run still works, and how that is known."""

    is_dead: bool
    reason: str


@dataclass(frozen=True)
class Swept:
    """What was removed: paths written aside, and Parquet files that no commit names.

    Attributes:
        is_catalog_new: the analysts' catalog did not show the newest commits and was written again.
        is_whole: False if somebody was publishing, so that files of tables were left for the next time.
    """

    asides: tuple[Path, ...]
    uncommitted: tuple[Path, ...]
    is_catalog_new: bool
    is_whole: bool


def run_lock(data: Path, run_id: str) -> Path:
    """The lock file that a run holds while it works. Raises ValueError for what is no run id."""
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(f"{run_id!r} is not a run id")
    return data / "locks" / "runs" / f"{run_id}.lock"


def hold_run_lock(data: Path, run_id: str) -> None:
    """Hold the lock of ``run_id`` until this process ends, however it ends, or works on another run."""
    for ended in [other for other in _HELD if other != run_id]:
        os.close(_HELD.pop(ended))
        forget_run(data, ended)
    lock = take_lock(run_lock(data, run_id)) if run_id not in _HELD else None
    if lock is not None:
        _HELD[run_id] = lock


def judge_run(data: Path, run: RunRecord, *, now: datetime) -> Liveness:
    """Whether ``run``, which is recorded as not ended, works no more.

    Its lock tells, whatever the number of its process and whichever container it is in. Before it takes the lock, the
    process that wrote its newest event answers for it.
    """
    lock = run_lock(data, run.run_id)
    if is_locked(lock):
        return Liveness(is_dead=False, reason="it holds its lock")
    if run.process is None:
        is_old = now - run.said_at > _STARTS_WITHIN
        return Liveness(is_old, f"no process has begun it for {(now - run.said_at).total_seconds():.0f} s")
    if _wrote(run.process, run.said_at):
        return Liveness(is_dead=False, reason=f"process {run.process} lives")
    when = "while it worked" if lock.exists() else "before its first step"
    return Liveness(is_dead=True, reason=f"process {run.process} ended {when}, without a word")


def forget_run(data: Path, run_id: str) -> None:
    """Remove the lock file of a run that has ended."""
    run_lock(data, run_id).unlink(missing_ok=True)


def runs_with_locks(data: Path) -> list[str]:
    """Runs whose lock files are there, held or not."""
    return sorted(path.stem for path in (data / "locks" / "runs").glob("*.lock"))


def sweep(site: Site) -> Swept:
    """Remove what dead writers left, and bring receipts and catalog up to the newest commits."""
    asides = leftovers(site.data)
    for path in asides:
        remove(path)
    lock = take_lock(site.tables.publishing_lock)
    if lock is None:
        return Swept(tuple(asides), (), is_catalog_new=False, is_whole=False)
    try:
        found = [path for table in site.tables.tables() for path in site.tables.uncommitted_files(table)]
        for path in found:
            remove(path)
            # A night that was never published leaves its empty folder.
            with suppress(OSError):
                path.parent.rmdir()
    finally:
        os.close(lock)
    for table in site.tables.tables():
        site.tables.seal(table)
    is_published = site.tables.exists("scores") or (site.data / "warehouse.duckdb").exists()
    is_new = publish_catalog(site) if is_published else False
    return Swept(tuple(asides), tuple(found), is_catalog_new=is_new, is_whole=True)


def _wrote(process: int, said_at: datetime) -> bool:
    """Whether ``process`` is the one that wrote at ``said_at``: a number may have gone to a later process."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        booted = next(line for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines() if "btime" in line)
    except OSError:
        return False
    began = int(booted.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    # The kernel tells the time of its start in whole seconds.
    return began <= said_at.timestamp() + 2

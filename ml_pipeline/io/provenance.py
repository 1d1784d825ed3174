"""Where and with what a training ran: git state, lock file, host. Told of a model, never part of what it is."""

import hashlib
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_LOCK_FILE = "requirements.lock"
_SECONDS = 20


@dataclass(frozen=True)
class Provenance:
    """Facts that may differ between two places that make the same model.

    Attributes:
        git_commit: the commit that the code was checked out from; None outside of a git checkout.
        is_dirty: whether the checkout held changes that are not in ``git_commit``; None outside of one.
        lock_file_sha256: of the lock file beside the package, None for an installed package without one.
        python, platform: names and versions.
        cpu_count: processors of the machine.
        threads: how many were allowed.
    """

    git_commit: str | None
    is_dirty: bool | None
    lock_file_sha256: str | None
    python: str
    platform: str
    cpu_count: int
    threads: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def provenance(threads: int, *, package: Path | None = None) -> Provenance:
    """The facts of this process for the code in ``package`` (the folder of ``ml_pipeline``, if None); never fails."""
    package = package or Path(__file__).parent.parent
    commit, is_dirty = _git_state(package)
    lock_file = package.parent / _LOCK_FILE
    return Provenance(
        git_commit=commit, is_dirty=is_dirty,
        lock_file_sha256=hashlib.sha256(lock_file.read_bytes()).hexdigest() if lock_file.is_file() else None,
        python=f"{platform.python_implementation()} {platform.python_version()}", platform=platform.platform(),
        cpu_count=os.cpu_count() or 1, threads=threads,
    )  # fmt: skip


def _git_state(package: Path) -> tuple[str | None, bool | None]:
    # A package in a virtual environment may lie inside some other checkout, whose commit says nothing of it.
    if not _git(package, "ls-files", "--", "nights.py"):
        return None, None
    commit, changes = _git(package, "rev-parse", "HEAD"), _git(package, "status", "--porcelain")
    if commit is None or changes is None:
        return None, None
    return commit, bool(changes)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, None where there is no git, no checkout or no answer."""
    program = shutil.which("git")
    if program is None:
        return None
    # Without optional locks nothing is written: a status would otherwise refresh the index under somebody's commit.
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        told = subprocess.run(  # noqa: S603 - a program found on the path, with arguments of our own
            [program, "-C", str(folder), *arguments],
            env=environment, capture_output=True, text=True, timeout=_SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip()

"""Whether a delivered file may be opened at all: its name, its kind, its size, its age, its first bytes, its listed hash."""

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ml_pipeline.contracts.delivery import LimitsContract
from ml_pipeline.io.connectors.connector import DeliveryError, DeliveryUnsettledError, shown

HASH_LIST = "SHA256SUMS"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]{0,127}(?<!\.)")
# What Windows takes for a device, whatever follows the dot: a folder that is shared with it cannot hold such a file.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_LISTED = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_MAGIC = {
    b"PAR1": "a Parquet file",
    b"PARE": "an encrypted Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"PK": "a zip file",
}


@dataclass(frozen=True)
class Candidate:
    """A file as it lies there, not opened yet.

    Attributes:
        path: where it lies.
        root: the folder that it must lie in.
        status: of the file itself, links not followed.
        limits: what it may cost.
        settle_seconds: how long ago it must have been written to.
        listed: sha256 by name from the list beside it, None without a list.
        now: seconds since the epoch.
    """

    path: Path
    root: Path
    status: os.stat_result
    limits: LimitsContract
    settle_seconds: int
    listed: Mapping[str, str] | None
    now: float

    @property
    def name(self) -> str:
        return self.path.relative_to(self.root).as_posix()


def _has_plain_name(file: Candidate) -> str | None:
    bad = [part for part in Path(file.name).parts if not _NAME.fullmatch(part) or _DEVICES.fullmatch(part)]
    if bad:
        return f"its name holds {shown(bad[0])!r}; use letters, digits, . _ = and -, up to 128 of them"
    return None


def _is_plain_file(file: Candidate) -> str | None:
    if not stat.S_ISREG(file.status.st_mode):
        return "not a plain file; deliver files, not links, folders, pipes or devices"
    return None


def _is_inside(file: Candidate) -> str | None:
    if not file.path.resolve().is_relative_to(file.root):
        return f"not a plain file inside {file.root}; deliver files, not links"
    return None


def _has_one_name(file: Candidate) -> str | None:
    if file.status.st_nlink > 1:
        return f"it has {file.status.st_nlink} names (hard links), so it can change under another one; deliver a copy"
    return None


def _is_not_empty(file: Candidate) -> str | None:
    return (
        None if file.status.st_size else "it has no bytes; deliver the header, or the schema, of a night without rows"
    )


def _is_not_too_large(file: Candidate) -> str | None:
    if file.status.st_size > file.limits.max_file_bytes:
        return f"it has {file.status.st_size:,} bytes, limits: max_file_bytes allows {file.limits.max_file_bytes:,}"
    return None


def _is_listed(file: Candidate) -> str | None:
    if file.listed is not None and file.path.name not in file.listed:
        return f"{HASH_LIST} beside it does not list it; list every file of the folder, or remove the list"
    return None


FILE_RULES: tuple[Callable[[Candidate], str | None], ...] = (
    _has_plain_name, _is_plain_file, _is_inside, _has_one_name, _is_not_empty, _is_not_too_large, _is_listed,
)  # fmt: skip


def _has_the_bytes_of_its_kind(file: Candidate, head: bytes) -> str | None:
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if file.path.suffix == ".parquet":
        return None if found == "a Parquet file" else f"it begins like {found or 'text'}, not like a Parquet file"
    if file.path.suffix == ".csv":
        return f"it is {found}, not a CSV file" if found else None
    return f"{file.path.suffix or 'no suffix'} is no kind of file that can be read; deliver .parquet or .csv"


def _is_as_listed(file: Candidate, digest: str) -> str | None:
    if file.listed is not None and file.listed[file.path.name] != digest:
        return (
            f"its sha256 is {digest[:12]}..., {HASH_LIST} says {file.listed[file.path.name][:12]}...; deliver it again"
        )
    return None


HEAD_RULES: tuple[Callable[[Candidate, bytes], str | None], ...] = (_has_the_bytes_of_its_kind,)
HASH_RULES: tuple[Callable[[Candidate, str], str | None], ...] = (_is_as_listed,)


@dataclass(frozen=True)
class GatedFile:
    """An open file that passed, and the sha256 of what it holds."""

    handle: BinaryIO
    size_bytes: int
    sha256: str


@contextmanager
def open_gated(path: Path, root: Path, limits: LimitsContract, *, settle_seconds: int) -> Iterator[GatedFile]:
    """Open ``path`` for reading if it may be.

    Raises:
        DeliveryError: it may not; names the file, the rule and the remedy.
        DeliveryUnsettledError: it may still be growing, or it changed while it was read; worth another try.
    """
    status = path.lstat()
    file = Candidate(path, root, status, limits, settle_seconds, read_hash_list(path.parent), time.time())
    _require(path, (rule(file) for rule in FILE_RULES))
    _require_settled(file)
    # What lies there may have been exchanged since: neither a link is followed nor a pipe waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as handle:
        if _identity(os.fstat(descriptor)) != _identity(status):
            raise DeliveryUnsettledError(f"{shown(path)}: it was exchanged while it was looked at; run again")
        head = handle.read(8)
        _require(path, (rule(file, head) for rule in HEAD_RULES))
        handle.seek(0)
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
        _require(path, (rule(file, digest) for rule in HASH_RULES))
        handle.seek(0)
        yield GatedFile(handle, status.st_size, digest)
        if _identity(os.fstat(descriptor)) != _identity(status):
            raise DeliveryUnsettledError(f"{shown(path)}: it changed while it was read; run again when it is whole")


def read_hash_list(folder: Path) -> dict[str, str] | None:
    """The hashes that ``sha256sum * > SHA256SUMS`` wrote into ``folder``, by file name; None without such a list.

    Raises:
        DeliveryError: a line of the list is no line of that command.
    """
    path = folder / HASH_LIST
    if not path.exists() and not path.is_symlink():
        return None
    if path.is_symlink() or not path.is_file():
        raise DeliveryError(f"{shown(path)}: not a plain file; deliver files, not links")
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        match = _LISTED.fullmatch(line)
        if match is None:
            raise DeliveryError(f"{shown(path)}, line {number}: not a hash and a name as sha256sum writes them")
        found[match[2].removeprefix("./")] = match[1]
    return found


def _require_settled(file: Candidate) -> None:
    age = file.now - file.status.st_mtime
    # A clock that runs ahead at the supplier must not make its files wait for ever: then the list or size decides.
    if file.listed is None and 0 <= age < file.settle_seconds:
        raise DeliveryUnsettledError(
            f"{shown(file.path)}: it was written to {age:.0f} s ago and may still be growing (settle_seconds: "
            f"{file.settle_seconds}); run again later, or deliver a {HASH_LIST} beside it"
        )


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _require(path: Path, answers: Iterator[str | None]) -> None:
    refusal = next((answer for answer in answers if answer is not None), None)
    if refusal is not None:
        raise DeliveryError(f"{shown(path)}: {refusal}")

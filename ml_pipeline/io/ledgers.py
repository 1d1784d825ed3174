"""Ledgers: what was decided, when and why. Append-only, one file an entry, each chained to the one before.

An entry holds the sha256 of the file before it and that of its own content. So damage and edits are found, and at which
entry; who may write here could forge the whole chain anew, and is kept out by the rights of the folder.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_pipeline.io.files import sha256_of, sync_file, sync_folder


class LedgerConflictError(RuntimeError):
    """Somebody else appended first; read the ledger again and decide again."""


@dataclass(frozen=True)
class LedgerFinding:
    """What is wrong with entry ``number``: it is missing, altered, or not chained to the one before."""

    number: int
    problem: str


@dataclass(frozen=True)
class Ledger:
    """Numbered JSON files in ``folder``. An entry, once there, never changes."""

    folder: Path

    def paths(self) -> list[Path]:
        return sorted(self.folder.glob("[0-9]*.json"))

    def entries(self) -> list[dict[str, Any]]:
        """All entries in order."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in self.paths()]

    def append(self, entry: Mapping[str, Any], *, after: int | None = None) -> int:
        """Append ``entry`` and return its number.

        Args:
            entry: plain values.
            after: the number of entries on which the decision rests; None to append whatever is there.

        Raises:
            LedgerConflictError: the ledger has grown since. The number is taken by linking a finished file to a name
                that must not exist, which one of two writers wins.
        """
        while True:
            paths = self.paths()
            # After the last number, not after the count: where an entry is gone, its successors still hold theirs.
            number = int(paths[-1].stem) + 1 if paths else 1
            if after is not None and (len(paths), number) != (after, after + 1):
                raise LedgerConflictError(
                    f"ledger {self.folder.name} has {len(paths)} entries, the last is {number - 1}, {after} were expected"
                )
            if self._link(entry, number, paths):
                return number
            if after is not None:
                raise LedgerConflictError(f"entry {after + 1} of ledger {self.folder.name} was just taken")

    def verify(self) -> tuple[LedgerFinding, ...]:
        """Every entry that is missing, altered, or not chained to the one before, in order; none if all is well."""
        found: dict[int, str] = {}
        before: _Read | None = None
        for read in map(_Read.of, self.paths()):
            first = before.number + 1 if before else 1
            found |= dict.fromkeys(range(first, read.number), "it is missing")
            if read.is_altered:
                found[read.number] = "it was altered after it was written"
            elif read.number == first and read.previous != (before.sha256 if before else ""):
                _blame(found, before, read)
            before = read
        return tuple(LedgerFinding(number, problem) for number, problem in sorted(found.items()))

    def _link(self, entry: Mapping[str, Any], number: int, paths: Sequence[Path]) -> bool:
        """Write the entry that follows ``paths``; False if its number was taken meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        previous = sha256_of(paths[-1]) if paths else ""
        content = {**entry, "number": number, "recorded_at": datetime.now(UTC).isoformat(), "previous": previous}
        content["sha256"] = _own_hash(content)
        aside = self.folder / f".{number:06d}.{os.getpid()}.aside"
        aside.write_text(_as_text(content), encoding="utf-8")
        sync_file(aside)
        try:
            os.link(aside, self.folder / f"{number:06d}.json")
        except FileExistsError:
            return False
        finally:
            aside.unlink()
        sync_folder(self.folder)
        return True


@dataclass(frozen=True)
class _Read:
    """An entry as it lies there. One from before entries held their own hash is vouched for by its successor alone."""

    number: int
    sha256: str
    previous: str | None
    is_altered: bool
    is_sealed: bool

    @classmethod
    def of(cls, path: Path) -> "_Read":
        number, sha256 = int(path.stem), sha256_of(path)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            previous, own = content["previous"], content.get("sha256")
            is_altered = content["number"] != number or (own is not None and own != _own_hash(content))
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(number, sha256, None, is_altered=True, is_sealed=False)
        return cls(number, sha256, previous, is_altered=is_altered, is_sealed=own is not None)


def _blame(found: dict[int, str], before: _Read | None, read: _Read) -> None:
    """The chain breaks between two entries: the earlier one was altered, if nothing vouches for it but the later one."""
    if before is None or before.number not in found:
        number = read.number if before is None or before.is_sealed else before.number
        is_later = number == read.number
        found[number] = "it does not follow the entry before it" if is_later else "it was altered after it was written"


def _own_hash(content: Mapping[str, Any]) -> str:
    unsigned = {name: value for name, value in content.items() if name != "sha256"}
    return hashlib.sha256(_as_text(unsigned).encode()).hexdigest()


def _as_text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False) + "\n"

"""Ledgers: what was decided, when and why. Append-only, one file an entry, each chained to the one before."""

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
            if after is not None and len(paths) != after:
                raise LedgerConflictError(f"ledger {self.folder.name} has {len(paths)} entries, {after} were expected")
            if self._link(entry, paths):
                return len(paths) + 1
            if after is not None:
                raise LedgerConflictError(f"entry {after + 1} of ledger {self.folder.name} was just taken")

    def _link(self, entry: Mapping[str, Any], paths: Sequence[Path]) -> bool:
        """Write the entry that follows ``paths``; False if its number was taken meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        number = len(paths) + 1
        previous = sha256_of(paths[-1]) if paths else ""
        content = {"number": number, "recorded_at": datetime.now(UTC).isoformat(), "previous": previous, **entry}
        aside = self.folder / f".{number:06d}.{os.getpid()}.aside"
        aside.write_text(json.dumps(content, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
        sync_file(aside)
        try:
            os.link(aside, self.folder / f"{number:06d}.json")
        except FileExistsError:
            return False
        finally:
            aside.unlink()
        sync_folder(self.folder)
        return True

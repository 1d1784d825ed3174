"""Receipts of commits: the sha256 of each file that a commit added, and of the commit itself, kept outside of the table.

DuckDB does not check the page checksums of Parquet, and a flipped bit in a file's statistics makes a filter drop rows in
silence: only the hash of the whole file tells. Receipts form a chain, each names the hash of the one before.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.io.delta_log import commit_path, read_commit
from ml_pipeline.io.files import sha256_of, write_durably
from ml_pipeline.io.locks import exclusive_lock


@dataclass(frozen=True)
class Damage:
    """A file that is not what was published, and how."""

    path: Path
    problem: str


@dataclass(frozen=True)
class CommitReceipts:
    """Receipts of the tables below ``root``."""

    root: Path

    def path(self, table: str, version: int) -> Path:
        return self.root / "receipts" / table / f"{version:020}.json"

    def seal(self, table: str, newest: int) -> int:
        """Write the receipts that are missing up to commit ``newest``; returns how many.

        Right after the commit, while the files are still in memory; what a crash left out is made up for by the next.
        """
        with exclusive_lock(self.root / "locks" / "receipts.lock"):
            first = newest + 1
            while first > 0 and not self.path(table, first - 1).exists():
                first -= 1
            for version in range(first, newest + 1):
                content = json.dumps(self._made(table, version), sort_keys=True) + "\n"
                write_durably(self.path(table, version), content.encode())
            return newest + 1 - first

    def damages(self, table: str, newest: int) -> Iterator[Damage | Path]:
        """Every file of ``table`` up to commit ``newest``: its path if it is as published, else what is wrong."""
        for version in range(newest + 1):
            path = self.path(table, version)
            try:
                receipt = json.loads(path.read_bytes())
                files: dict[str, str] = dict(receipt["files"])
                commit, previous = str(receipt["commit"]), str(receipt["previous"])
            except FileNotFoundError:
                yield Damage(path, "there is no receipt; `ml-pipeline recover` writes it from what is there now")
                continue
            except (ValueError, KeyError, TypeError) as error:
                yield Damage(path, f"the receipt cannot be read ({error}); restore it from a backup")
                continue
            yield _compared(
                path, previous, self._previous(table, version), "its chain is broken: the receipt before it"
            )
            yield _compared(commit_path(self.root / table, version), commit)
            for name, wanted in files.items():
                yield _compared(self.root / table / name, wanted)

    def _made(self, table: str, version: int) -> dict[str, object]:
        folder = self.root / table
        # Of a history that was thinned out on purpose, what is no longer there has no hash.
        files = [name for _, name in read_commit(folder, version).added if (folder / name).exists()]
        return {
            "commit": sha256_of(commit_path(folder, version)),
            "files": {name: sha256_of(folder / name) for name in files},
            "previous": self._previous(table, version),
        }

    def _previous(self, table: str, version: int) -> str:
        path = self.path(table, version - 1)
        return sha256_of(path) if version and path.exists() else ""


def _compared(path: Path, wanted: str, found: str | None = None, what: str = "it") -> Damage | Path:
    try:
        is_same = (sha256_of(path) if found is None else found) == wanted
    except FileNotFoundError:
        return Damage(path, "it is gone; restore it from a backup")
    return path if is_same else Damage(path, f"{what} was changed after it was published; restore it from a backup")

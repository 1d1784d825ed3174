"""Every file that a table ever held, from which commit to which, read from its whole log."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ml_pipeline.io.delta_log import newest_commit, read_commit


@dataclass(frozen=True)
class StoredFile:
    """A file that commit ``added`` put into ``table`` and commit ``removed``, at ``removed_at``, replaced; None: it is live."""

    table: str
    path: Path
    added: int
    removed: int | None = None
    removed_at: datetime | None = None

    def is_of(self, version: int) -> bool:
        """Whether ``version`` of the table holds it."""
        return self.added <= version and (self.removed is None or version < self.removed)


@dataclass(frozen=True)
class TableHistory:
    """Files still on disk, and the versions of tables that the published nights say they were made from."""

    files: tuple[StoredFile, ...]
    made_from: frozenset[tuple[str, int]]


def table_history(root: Path, table: str) -> TableHistory:
    """The history of ``table`` below ``root``; the clock of a commit never goes back behind that of the one before."""
    folder, newest_ms = root / table, 0
    files: dict[str, StoredFile] = {}
    made_from: set[tuple[str, int]] = set()
    for version in range(newest_commit(folder) + 1):
        commit = read_commit(folder, version)
        newest_ms = max(newest_ms, commit.written_at_ms)
        for _, name in commit.removed:
            if name in files:
                files[name] = replace(
                    files[name], removed=version, removed_at=datetime.fromtimestamp(newest_ms / 1000, tz=UTC)
                )
        files |= {name: StoredFile(table, folder / name, version) for _, name in commit.added}
        made_from |= {pair for night in commit.nights.values() for pair in night["facts"].items()}
    return TableHistory(tuple(file for file in files.values() if file.path.exists()), frozenset(made_from))


def versions_in(entry: object) -> Iterator[tuple[str, int]]:
    """Pairs of a name and a whole number anywhere in an entry of a ledger; those of tables are versions that it rests on."""
    if isinstance(entry, dict):
        for name, value in entry.items():
            if isinstance(value, int) and not isinstance(value, bool):
                yield str(name), value
            yield from versions_in(value)
    elif isinstance(entry, list):
        for part in entry:
            yield from versions_in(part)

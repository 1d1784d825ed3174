"""Published tables: Delta, partitioned by ``score_date``; one publish, of one night or many, is one commit.

Delta Lake's log (Armbrust et al., VLDB 2020) makes a commit visible whole or not at all, keeps concurrent writers
from losing each other's work and keeps every earlier revision readable. ``deltalake`` must not be used in a forked
process: its runtime panics there; spawn instead.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from ml_pipeline.contracts.night_rows import rows_by_night
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.commit_receipts import CommitReceipts
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.delta_commit import write_commit
from ml_pipeline.io.delta_log import fingerprint
from ml_pipeline.io.locks import shared_lock
from ml_pipeline.io.night_index import NightIndex
from ml_pipeline.io.published_nights import NightInputs, Publication, PublishedNight, PublishResult, stale_nights
from ml_pipeline.io.row_order import in_order
from ml_pipeline.io.table_rows import FileSlice, read_rows, read_slice, slices_of
from ml_pipeline.nights import Night

__all__ = ["NightInputs", "PublishResult", "PublishedNight", "TableStore", "stale_nights"]

_TABLE_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,62}(/[A-Za-z0-9_-]{1,64})?")
# In the name of a file the log decodes the first, and DuckDB takes the others for a pattern.
_UNNAMEABLE = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]*?]")


class TableStore:
    """The Delta tables below one data root, named by their folder, for example ``raw/outcomes``.

    Raises:
        ValueError: files below ``root`` could be written but not found again.
    """

    def __init__(self, root: Path) -> None:
        if found := _UNNAMEABLE.search(str(root.absolute())):
            raise ValueError(
                f"the data root {root.absolute()} holds {found[0]!r} in its path; choose a folder without it"
            )
        self.root = root
        self._index = NightIndex(root)

    def path(self, table: str) -> Path:
        """Folder of ``table``. Raises ValueError for a name outside the allow-list (no way out of the root)."""
        if not _TABLE_PATTERN.fullmatch(table):
            raise ValueError(f"{table!r} is not a table name")
        return self.root / table

    @property
    def publishing_lock(self) -> Path:
        """Shared by all who publish; whoever holds it alone sees no commit that is half made."""
        return self.root / "locks" / "publishing.lock"

    def tables(self) -> list[str]:
        """Every table that was ever published."""
        logs = [*self.root.glob("*/_delta_log"), *self.root.glob("*/*/_delta_log")]
        return sorted(str(log.parent.relative_to(self.root)) for log in logs)

    def seal(self, table: str) -> int:
        """Write the receipts that the commits of ``table`` still lack; returns how many."""
        return CommitReceipts(self.root).seal(table, self.version(table))

    def uncommitted_files(self, table: str) -> list[Path]:
        """What no commit of ``table`` ever named; to be asked by the only holder of ``publishing_lock``."""
        folder = self.path(table)
        named = {folder / name for _, name, _ in self._index.every_file(table)}
        # A file that is being written bears a number sign; checkpoints of the log lie beside it and are none of ours.
        found = [*folder.glob(f"{SCORE_DATE}=*/*.parquet"), *folder.glob("*/*#[0-9]*")]
        return sorted(path for path in found if path not in named)

    def exists(self, table: str) -> bool:
        return (self.path(table) / "_delta_log").is_dir()

    def version(self, table: str) -> int:
        """Version of the newest commit, -1 for a table that was never published."""
        return self._index.version(table) if self.exists(table) else -1

    def published(
        self, table: str, nights: Sequence[Night] | None = None, *, version: int | None = None, least_rows: int = 0
    ) -> dict[Night, PublishedNight]:
        """Every night ever published (those of ``nights``, if given) as of ``version``; one of zero rows is published too.

        ``inputs_hash`` is that of the last build, also where it gave the same content and made no commit.
        """
        if not self.exists(table):
            return {}
        return self._index.nights(table, version=version, wanted=nights, least_rows=least_rows)

    def publish(
        self, table: str, rows: pa.Table, nights: Mapping[Night, NightInputs], *, key: Sequence[str], may_grow: bool = False
    ) -> PublishResult:  # fmt: skip
        """Make ``rows`` the whole content of ``nights``, in one commit.

        Args:
            table: folder name of the table.
            rows: rows of exactly those nights, with a date32 column ``score_date``.
            nights: every night that is replaced, also those that have no row, with what it was made from.
            key: columns that order the rows of a night; with ``score_date`` they name a row.
            may_grow: whether ``rows`` may have columns that the table has not; nights published before read them as null.

        Raises:
            ValueError: a row belongs to a night that was not named, or a table that may grow would lose a column.
        """
        rows = in_order(rows, (SCORE_DATE, *key)).combine_chunks()
        parts = rows_by_night(rows, sorted(nights))
        if sum(part.num_rows for part in parts.values()) != rows.num_rows:
            raise ValueError("rows of a night that is not being published were handed in")
        old = self.published(table, sorted(nights))
        new = {
            night: PublishedNight(content_hash(part), nights[night].inputs_hash, part.num_rows, nights[night].facts)
            for night, part in parts.items()
        }
        changed = [
            night for night in sorted(new) if night not in old or old[night].content_hash != new[night].content_hash
        ]
        if changed:
            # Whoever removes files that no commit names must not meet those of a commit that is being made.
            with shared_lock(self.publishing_lock):
                self._commit(
                    table, pa.concat_tables([parts[night] for night in changed]), changed, new, may_grow=may_grow
                )
            self.seal(table)
        unchanged = tuple(night for night in sorted(new) if night not in set(changed))
        same = {night: new[night] for night in unchanged if new[night].inputs_hash != old[night].inputs_hash}
        self._index.remember(table, {(night, facts.content_hash): facts.inputs_hash for night, facts in same.items()})
        return PublishResult(table, self.version(table), tuple(changed), unchanged, rows.num_rows)

    def _commit(
        self, table: str, rows: pa.Table, changed: Sequence[Night], new: Mapping[Night, PublishedNight], *, may_grow: bool
    ) -> None:  # fmt: skip
        notes = json.dumps({str(night): asdict(new[night]) for night in changed}, sort_keys=True)
        is_first = not self.exists(table)
        lost = [] if is_first or not may_grow else sorted(set(self.schema(table).names) - set(rows.schema.names))
        if lost:
            raise ValueError(
                f"table {table} has columns {lost} that the rows lack; it is written by newer code than this"
            )
        write_commit(self.path(table), rows, changed, notes, is_first=is_first, may_grow=may_grow)

    def files(self, table: str, nights: Sequence[Night] | None = None, *, version: int | None = None) -> list[Path]:
        """The Parquet files of ``nights`` (all, if None) as of ``version`` (the newest, if None), sorted.

        An explicit list is a snapshot; a glob is not.
        """
        if not self.exists(table):
            return []
        folder = self.path(table)
        return [folder / name for name in self._index.files(table, version=version, wanted=nights)]

    def every_file(self, table: str) -> list[tuple[int, Path]]:
        """Each file that was ever part of ``table`` and is still kept, with the commit that added it, in night order."""
        if not self.exists(table):
            return []
        folder = self.path(table)
        files = [(version, folder / name) for _, name, version in self._index.every_file(table)]
        return [(version, file) for version, file in files if file.exists()]

    def publications(self, table: str) -> list[Publication]:
        """Every time that a night of ``table`` was published, in night order and then in time."""
        return self._index.publications(table) if self.exists(table) else []

    def read(
        self, table: str, nights: Sequence[Night], columns: Sequence[str] | None = None, *, version: int | None = None
    ) -> pa.Table:
        """Rows of ``nights`` in night order, within a night in key order; ``score_date`` comes first.

        Args:
            table: folder name of the table.
            nights: the nights to be read.
            columns: the columns wanted, all if None.
            version: the Delta version to be read, the newest if None.

        Raises:
            FileNotFoundError: the table was never published, or files of ``version`` are no longer kept.
        """
        if not self.exists(table):
            raise FileNotFoundError(f"table {table} was never published; materialise the asset {table} first")
        schema = self.schema(table, version=version)
        names = [SCORE_DATE, *(name for name in columns or schema.names if name != SCORE_DATE)]
        wanted = pa.schema([schema.field(name) for name in names])
        files = self.files(table, nights, version=version)
        if not files:
            return wanted.empty_table()
        if gone := [path for path in files if version is not None and not path.exists()]:
            raise FileNotFoundError(
                f"table {table}: {len(gone)} of {len(files)} files of version {version} are no longer there, the first is "
                f"{gone[0]}; restore them from a backup"
            )
        return read_rows(self.root, files, wanted, may_lack=self.has_grown(table))

    def slices(self, table: str, night: Night, *, version: int, most_rows: int) -> list[FileSlice]:
        """The rows of one night as of ``version``, in key order, in parts of at most ``most_rows`` or one row group."""
        return [*slices_of(night, self.files(table, [night], version=version), most_rows)]

    def read_slice(self, table: str, part: FileSlice, *, version: int) -> pa.Table:
        """The rows of one part of a night, all columns, as ``read`` gives them."""
        wanted = self.schema(table, version=version)
        wanted = pa.schema([wanted.field(SCORE_DATE), *(field for field in wanted if field.name != SCORE_DATE)])
        return read_slice(part, wanted)

    def has_grown(self, table: str) -> bool:
        """Whether ``table`` has columns that its first files lack."""
        return self.exists(table) and self.schema(table, version=0).names != self.schema(table).names

    def schema(self, table: str, *, version: int | None = None) -> pa.Schema:
        """Arrow schema of ``table`` as readers get it, as of ``version`` (the newest, if None)."""
        folder = self.path(table)
        as_of = self.version(table) if version is None else version
        return _schema(folder, as_of, fingerprint(folder, as_of))


# Opening a table lists its log. A commit never changes, and its fingerprint tells it from that of a table made again.
@lru_cache(maxsize=256)
def _schema(folder: Path, version: int, _fingerprint: str) -> pa.Schema:
    from deltalake import DeltaTable

    return pa.schema(DeltaTable(folder, version=version).schema().to_arrow())

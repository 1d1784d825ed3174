"""Reads a source from a folder of Parquet and CSV files: gated before they are opened, typed by the contract alone."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.row_rules import unowned_instants
from ml_pipeline.contracts.source import DELIVERED_FOR, FAULT, KNOWN_AT, NIGHT_IN_NAME, SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError, DeliveryHeldError, HeldFile, shown
from ml_pipeline.io.connectors.dropped_files import DroppedFile, as_dropped, require_each_once, require_one_a_night
from ml_pipeline.io.csv_files import read_csv_file
from ml_pipeline.io.file_gate import GatedFile, open_gated, read_hash_list
from ml_pipeline.io.parquet_files import read_parquet_file
from ml_pipeline.io.wall_clocks import instants_of
from ml_pipeline.nights import KnownWindow, Night, NightCalendar


@dataclass(frozen=True)
class FolderConnector:
    """Files below ``root``; ``files`` of each source contract is a glob, for example ``orders/*.csv``.

    Attributes:
        root: the folder of deliveries.
        calendar: of the project; needed for sources whose files name their night.
        accepted: gives the sha256 of the files that a person has accepted, whatever they were held for.
    """

    root: Path
    calendar: NightCalendar | None = None
    accepted: Callable[[], Collection[str]] = frozenset

    def fingerprint(self, source: SourceContract) -> str:
        parts = []
        for file in self._files(source):
            with self._open(file.path, source) as gated:
                parts.append(f"{file.name}:{gated.sha256}")
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    def read(self, source: SourceContract, window: KnownWindow) -> pa.Table:
        files = self._files(source)
        if source.is_nightly:
            files = self._files_of_window(source, files, window)
        parts, held = [], []
        for file in files:
            with self._open(file.path, source) as gated:
                rows, unknown = _read_file(file, gated, source)
                if unknown and gated.sha256 not in self.accepted():
                    named = ", ".join(unknown)
                    held.append(
                        HeldFile(file.name, gated.sha256, (f"columns that the contract does not know: {named}",))
                    )
            _require_owned(file, rows, source)
            parts.append(rows)
        if held:
            raise DeliveryHeldError(tuple(held))
        return _of_window(pa.concat_tables([_no_rows(source), *parts]), window)

    def _open(self, path: Path, source: SourceContract) -> AbstractContextManager[GatedFile]:
        return open_gated(path, self._resolved, source.limits, settle_seconds=source.settle_seconds)

    def _files(self, source: SourceContract) -> list[DroppedFile]:
        if source.files is None:
            raise DeliveryError(f'source {source.name} names no files; add files: "folder/*.parquet" in sources.yml')
        # "{night}*" is one star, not two: two would be any folders.
        pattern = source.files.replace(f"{NIGHT_IN_NAME}*", "*").replace(NIGHT_IN_NAME, "*")
        try:
            paths = sorted(self._resolved.glob(pattern))
        except (ValueError, NotImplementedError) as error:
            raise DeliveryError(
                f"source {source.name}: files: {source.files} is no pattern of files below {self.root} ({error}); "
                'write one like "folder/*.parquet" in sources.yml'
            ) from error
        if not paths:
            raise DeliveryError(f"source {source.name}: no file matches {source.files} below {self.root}")
        files = [as_dropped(path, self._resolved, source) for path in paths]
        _require_listed_files(self._resolved, files, source)
        require_each_once(files, source)
        return files

    def _files_of_window(
        self, source: SourceContract, files: Sequence[DroppedFile], window: KnownWindow
    ) -> list[DroppedFile]:
        if self.calendar is None:
            raise DeliveryError(f"source {source.name}: files of one night each need the project's calendar")
        wanted = self.calendar.nights_of_window(window)
        by_night: dict[Night, list[DroppedFile]] = defaultdict(list)
        for file in files:
            if file.night is not None:
                by_night[file.night].append(file)
        missing = [night for night in wanted if night not in by_night and not source.bounds.may_be_empty(night)]
        if missing:
            named = source.files.replace(NIGHT_IN_NAME, str(missing[0])) if source.files else ""
            raise DeliveryError(
                f"source {source.name}: {len(missing)} of the wanted nights have no file, the first is {missing[0]} "
                f"({named}); deliver it, with its header alone if nothing happened"
            )
        require_one_a_night(by_night, wanted, source)
        return [file for night in wanted for file in by_night[night]]

    @cached_property
    def _resolved(self) -> Path:
        return self.root.resolve()


def _read_file(file: DroppedFile, gated: GatedFile, source: SourceContract) -> tuple[pa.Table, tuple[str, ...]]:
    """Rows of one file with the two columns that go with them."""
    if file.path.suffix == ".csv":
        read = read_csv_file(file.path, gated, source)
        rows, faults, unknown = read.rows, read.faults, read.unknown
    else:
        rows, unknown = read_parquet_file(file.path, gated, source)
        faults = pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
        for column in source.columns:
            if column.timezone:
                found = instants_of(rows.column(column.name), column.name, column.timezone)
                place = rows.schema.get_field_index(column.name)
                rows = rows.set_column(place, column.name, found.values)
                faults = pc.coalesce(faults, found.faults)
    rows = rows.cast(source.arrow_schema())
    night = pa.scalar(file.night, pa.date32())
    nights = pa.chunked_array([pa.repeat(night, rows.num_rows)])
    return rows.append_column(FAULT, faults).append_column(DELIVERED_FOR, nights), unknown


def _no_rows(source: SourceContract) -> pa.Table:
    added = [pa.field(FAULT, pa.string()), pa.field(DELIVERED_FOR, pa.date32())]
    return pa.schema([*source.arrow_schema(), *added]).empty_table()


def _require_owned(file: DroppedFile, rows: pa.Table, source: SourceContract) -> None:
    """Raise if a row became known at an instant of no night: the window of none would ever hold it, and it would vanish."""
    if file.night is not None:
        return
    for broken in unowned_instants(rows, source):
        count = pc.sum(broken.mask).as_py() or 0
        if count:
            raise DeliveryError(
                f"{shown(file.path)}: {count} of {rows.num_rows} rows have a {KNOWN_AT} that no night can own ({broken.rule}). "
                "Correct the file and run again"
            )


def _of_window(rows: pa.Table, window: KnownWindow) -> pa.Table:
    """Rows that became known in ``window``; those of a night's own file stay, and landing says what does not belong."""
    known_at = rows.column(KNOWN_AT)
    # A row without known_at must not vanish here: it is kept, and landing refuses it by name.
    mask = pc.fill_null(pc.less_equal(known_at, pa.scalar(window.until, known_at.type)), True)
    if window.after is not None:
        mask = pc.and_(mask, pc.fill_null(pc.greater(known_at, pa.scalar(window.after, known_at.type)), True))
    return rows.filter(pc.or_(mask, pc.is_valid(rows.column(DELIVERED_FOR))))


def _require_listed_files(root: Path, files: Sequence[DroppedFile], source: SourceContract) -> None:
    """Raise if a list of hashes names a file of the source that is not there."""
    present = {file.path for file in files}
    pattern = re.compile(
        re.escape(str(source.files)).replace(r"\*", "[^/]*").replace(re.escape(NIGHT_IN_NAME), "[^/]*")
    )
    for folder in sorted({file.path.parent for file in files}):
        for name in sorted(read_hash_list(folder) or {}):
            path = folder / name
            if path not in present and pattern.fullmatch(path.relative_to(root).as_posix()):
                raise DeliveryError(f"{shown(path)}: listed in SHA256SUMS, but not there; deliver it")

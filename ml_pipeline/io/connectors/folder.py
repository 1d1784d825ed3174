"""Reads a source from a folder of Parquet and CSV files, with the contract's types and no sniffing."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ml_pipeline.contracts.source import KNOWN_AT, SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.files import sha256_of
from ml_pipeline.nights import KnownWindow


@dataclass(frozen=True)
class FolderConnector:
    """Files below ``root``; ``files`` of each source contract is a glob, for example ``orders/*.csv``."""

    root: Path

    def fingerprint(self, source: SourceContract) -> str:
        parts = [f"{path.relative_to(self.root)}:{sha256_of(path)}" for path in self._paths(source)]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    def read(self, source: SourceContract, window: KnownWindow) -> pa.Table:
        parts = [_read_file(path, source) for path in self._paths(source)]
        rows = pa.concat_tables([source.arrow_schema().empty_table(), *parts])
        known_at = rows.column(KNOWN_AT)
        # A row without known_at must not vanish here: it is kept, and landing refuses it by name.
        mask = pc.fill_null(pc.less_equal(known_at, pa.scalar(window.until, known_at.type)), True)
        if window.after is not None:
            mask = pc.and_(mask, pc.fill_null(pc.greater(known_at, pa.scalar(window.after, known_at.type)), True))
        return rows.filter(mask)

    def _paths(self, source: SourceContract) -> list[Path]:
        if source.files is None:
            raise DeliveryError(f'source {source.name} names no files; add files: "folder/*.parquet" in sources.yml')
        try:
            paths = sorted(self._resolved.glob(source.files))
        except (ValueError, NotImplementedError) as error:
            raise DeliveryError(
                f"source {source.name}: files: {source.files} is no pattern of files below {self.root} ({error}); "
                'write one like "folder/*.parquet" in sources.yml'
            ) from error
        if not paths:
            raise DeliveryError(f"source {source.name}: no file matches {source.files} below {self.root}")
        for path in paths:
            if path.is_symlink() or not path.is_file() or not path.resolve().is_relative_to(self._resolved):
                raise DeliveryError(f"{path}: not a plain file inside {self.root}; deliver files, not links")
        return paths

    @cached_property
    def _resolved(self) -> Path:
        return self.root.resolve()


def _read_file(path: Path, source: SourceContract) -> pa.Table:
    try:
        rows = pq.read_table(path, partitioning=None) if path.suffix == ".parquet" else _read_csv(path, source)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowKeyError, OSError) as error:
        raise DeliveryError(
            f"{path}: cannot be read as {source.name}: {error}. Correct the file and run again"
        ) from error
    expected = source.arrow_schema()
    doubled = sorted({name for name in rows.schema.names if rows.schema.names.count(name) > 1})
    if doubled:
        raise DeliveryError(f"{path}: columns {doubled} are delivered twice; keep one of each")
    wrong = [
        f"{field.name}: {field.type}, expected {expected.field(field.name).type}"
        for field in rows.schema
        if field.name in expected.names and not _is_same_type(field.type, expected.field(field.name).type)
    ]
    if sorted(rows.schema.names) != sorted(expected.names) or wrong:
        missing = sorted(set(expected.names) - set(rows.schema.names))
        unknown = sorted(set(rows.schema.names) - set(expected.names))
        raise DeliveryError(
            f"{path}: missing columns {missing}, unknown columns {unknown}, wrong types {wrong}. "
            "Correct the file, or the contract in sources.yml"
        )
    try:
        return rows.select(expected.names).cast(expected)
    except pa.ArrowInvalid as error:
        raise DeliveryError(
            f"{path}: a value does not fit {source.name}: {error}. Deliver instants in microseconds, from year 1 to 9999"
        ) from error


def _is_same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    # Text in its three Arrow layouts and instants of another unit hold the same values; nothing else is forgiven.
    if pa.types.is_string(expected):
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
    if pa.types.is_timestamp(expected):
        return bool(pa.types.is_timestamp(found) and found.tz in ("UTC", "+00:00"))
    return bool(found == expected)


def _read_csv(path: Path, source: SourceContract) -> pa.Table:
    types = {field.name: field.type for field in source.arrow_schema()}
    return pa_csv.read_csv(
        path,
        # Explicit types for every column: no value of row 30,001 can turn a column into text.
        convert_options=pa_csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
    )

"""Reads a Parquet file after its metadata has been judged: what a footer says costs nothing to know."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml_pipeline.contracts.delivery import LimitsContract
from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError, shown
from ml_pipeline.io.delivery_columns import FoundColumns, require_columns
from ml_pipeline.io.file_gate import GatedFile

_MAGIC = b"PAR1"
_FOOTER_BYTES_PER_COLUMN = 4096
# pyarrow follows the levels of a schema by calls in calls: a hundred thousand of them, in a megabyte, end the process.
_LISTED_BESIDE_COLUMNS, _LISTED_PER_COLUMN = 1024, 4
_MOST_LEVELS = 256
# Of one value in memory; of a text its place in the dictionary, which is read first.
_WIDTHS = {"BOOLEAN": 0.125, "INT32": 4, "INT64": 8, "INT96": 8, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 4}
_PAGES_BYTES = 1 << 24


@dataclass(frozen=True)
class ParquetFacts:
    """What can be known before a row is read."""

    size_bytes: int
    tail: bytes
    footer_bytes: int
    limits: LimitsContract


def _has_a_footer(facts: ParquetFacts) -> str | None:
    if facts.tail[4:] != _MAGIC or facts.footer_bytes + 12 > facts.size_bytes:
        return f"footer missing at byte {max(facts.size_bytes - 8, 0)}, size {facts.size_bytes}; the file was cut off"
    return None


def _has_a_small_footer(facts: ParquetFacts) -> str | None:
    allowed = (1 << 16) + facts.limits.max_columns * _FOOTER_BYTES_PER_COLUMN
    if facts.footer_bytes > allowed:
        return (
            f"its footer has {facts.footer_bytes:,} bytes, {allowed:,} are allowed: too many columns or too long names"
        )
    return None


def _has_few_columns(footer: pq.FileMetaData, limits: LimitsContract) -> str | None:
    if footer.num_columns > limits.max_columns:
        return f"it has {footer.num_columns:,} columns, limits: max_columns allows {limits.max_columns:,}"
    return None


def _has_few_rows(footer: pq.FileMetaData, limits: LimitsContract) -> str | None:
    if footer.num_rows > limits.max_rows:
        return f"it has {footer.num_rows:,} rows, limits: max_rows allows {limits.max_rows:,}"
    return None


def _is_shallow(footer: pq.FileMetaData, _: LimitsContract) -> str | None:
    for number in range(footer.num_columns):
        levels = footer.schema.column(number).path.count(".") + 1
        if levels > _MOST_LEVELS:
            return f"a column of it lies {levels:,} levels deep, {_MOST_LEVELS} are allowed; deliver flat columns"
    return None


def _has_short_texts(footer: pq.FileMetaData, limits: LimitsContract) -> str | None:
    """As far as the metadata tell: more bytes than so many texts of the allowed length have."""
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            allowed = _PAGES_BYTES + column.num_values * (limits.max_cell_bytes + 4)
            if column.physical_type == "BYTE_ARRAY" and column.total_uncompressed_size > allowed:
                return (
                    f"{column.num_values:,} texts of column {shown(column.path_in_schema)} have "
                    f"{column.total_uncompressed_size:,} bytes, limits: max_cell_bytes allows {limits.max_cell_bytes:,} each"
                )
    return None


def _is_small_in_memory(footer: pq.FileMetaData, limits: LimitsContract) -> str | None:
    """By the bytes of its pages, or by the values of its rows: a run of equal ones has next to no bytes in a page."""
    columns = [footer.schema.column(number) for number in range(footer.num_columns)]
    width = sum(_WIDTHS.get(column.physical_type, column.length) for column in columns)
    pages = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    decoded = max(pages, int(footer.num_rows * width))
    if decoded > limits.max_decoded_bytes:
        return f"it has {decoded:,} bytes when decoded, limits: max_decoded_bytes allows {limits.max_decoded_bytes:,}"
    return None


FOOTER_RULES: tuple[Callable[[ParquetFacts], str | None], ...] = (_has_a_footer, _has_a_small_footer)
METADATA_RULES: tuple[Callable[[pq.FileMetaData, LimitsContract], str | None], ...] = (
    _has_few_columns, _has_few_rows, _is_shallow, _has_short_texts, _is_small_in_memory,
)  # fmt: skip


def read_parquet_file(path: Path, file: GatedFile, source: SourceContract) -> tuple[pa.Table, tuple[str, ...]]:
    """The declared columns of ``file``, in the contract's order, and the names of those that are not declared.

    Raises:
        DeliveryError: the file is damaged, too costly, or of other columns or types.
    """
    limits = source.limits
    facts = _facts(file, limits)
    _require(path, [rule(facts) for rule in FOOTER_RULES])
    texts = [column.name for column in source.columns if column.type == "string"]
    try:
        parquet = _opened(path, file, limits)
        _require(path, [rule(parquet.metadata, limits) for rule in METADATA_RULES])
        unknown = require_columns(path, _columns(parquet.schema_arrow), source)
        # Dictionaries first: one long text that is repeated a million times costs its length once.
        parquet = pq.ParquetFile(
            file.handle, metadata=parquet.metadata, read_dictionary=texts, page_checksum_verification=True
        )
        rows = parquet.read(columns=list(source.column_names))
        return _plain_texts(path, rows.select(list(source.column_names)), limits), unknown
    except DeliveryError:
        raise
    # A damaged footer makes pyarrow raise what it will: a plain KeyError was seen for a name that one place has lost.
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, OverflowError) as error:
        raise DeliveryError(
            f"{shown(path)}: cannot be read as {source.name}: {shown(str(error))}. The file is damaged; deliver it again"
        ) from error


def _opened(path: Path, file: GatedFile, limits: LimitsContract) -> pq.ParquetFile:
    most = _LISTED_BESIDE_COLUMNS + _LISTED_PER_COLUMN * limits.max_columns
    try:
        return pq.ParquetFile(file.handle, thrift_string_size_limit=1 << 20, thrift_container_size_limit=most)
    except OSError as error:
        if "Exceeded size limit" not in str(error):
            raise
        raise DeliveryError(
            f"{shown(path)}: its footer lists more than {most:,} columns, levels or row groups, or holds a text of more than "
            "a megabyte; deliver fewer and larger row groups of flat columns"
        ) from error


def _facts(file: GatedFile, limits: LimitsContract) -> ParquetFacts:
    file.handle.seek(-min(8, file.size_bytes), 2)
    tail = file.handle.read(8)
    file.handle.seek(0)
    return ParquetFacts(file.size_bytes, tail, int.from_bytes(tail[:4], "little"), limits)


def _columns(schema: pa.Schema) -> FoundColumns:
    types = {field.name: field.type for field in schema}
    texts = {
        name: kind.value_type
        for name, kind in types.items()
        if pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type) and pa.types.is_int32(kind.index_type)
    }
    return FoundColumns(tuple(schema.names), types | texts)


def _plain_texts(path: Path, rows: pa.Table, limits: LimitsContract) -> pa.Table:
    for place, name in enumerate(rows.schema.names):
        column = rows.column(place)
        if pa.types.is_dictionary(column.type):
            _require_small_texts(path, name, column, limits)
            column = column.cast(pa.string())
        elif pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        rows = rows.set_column(place, name, column)
    rows.validate(full=True)
    return rows


def _require_small_texts(path: Path, name: str, column: pa.ChunkedArray, limits: LimitsContract) -> None:
    decoded = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary)
        longest = pc.max(lengths).as_py() or 0
        if longest > limits.max_cell_bytes:
            raise DeliveryError(
                f"{shown(path)}: a text of column {name} has {longest:,} bytes, limits: max_cell_bytes allows "
                f"{limits.max_cell_bytes:,}"
            )
        decoded += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    if decoded > limits.max_decoded_bytes:
        raise DeliveryError(
            f"{shown(path)}: column {name} has {decoded:,} bytes when decoded, limits: max_decoded_bytes allows "
            f"{limits.max_decoded_bytes:,}"
        )


def _require(path: Path, answers: list[str | None]) -> None:
    refusal = next((answer for answer in answers if answer is not None), None)
    if refusal is not None:
        raise DeliveryError(f"{shown(path)}: {refusal}")

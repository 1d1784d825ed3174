"""A hash of rows that depends on their values alone, not on chunks, buffers or the file they lie in."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_HASHABLE = (
    pa.types.is_string, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_date32,
    pa.types.is_timestamp,
)  # fmt: skip


def content_hash(rows: pa.Table) -> str:
    """Hex sha256 of column names, types and values of ``rows``, in the order given.

    Two tables with equal values hash equally however they are chunked or sliced, and with or without validity
    buffers. Callers sort by key first: the order is part of the hash.

    Raises:
        TypeError: a column is of a type whose bytes are not its values; names the column.
    """
    digest = hashlib.sha256()
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if pa.types.is_large_string(column.type):
            column = column.cast(pa.string())  # noqa: PLW2901 - the same text in another layout
        if not any(is_hashable(column.type) for is_hashable in _HASHABLE):
            raise TypeError(f"column {name} is {column.type}, which has no content hash; cast it to a plain type first")
        # The count of nulls tells whether validity bits follow; without it they could pass for the first values.
        digest.update(f"{name}:{column.type}:{rows.num_rows}:{column.null_count};".encode())
        if column.null_count:
            digest.update(np.packbits(column.is_valid().to_numpy()).tobytes())
        digest.update(_value_bytes(column))
    return digest.hexdigest()


def _value_bytes(column: pa.ChunkedArray) -> bytes:
    if pa.types.is_string(column.type):
        filled = column.fill_null("") if column.null_count else column
        lengths = bytes(pc.binary_length(filled).to_numpy().astype("<i8").tobytes())
        return lengths + b"".join(_text_bytes(chunk) for chunk in filled.chunks)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    elif pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    filled = column.fill_null(0) if column.null_count else column
    return bytes(filled.to_numpy().tobytes())


def _text_bytes(chunk: pa.StringArray) -> bytes:
    """The texts one after the other: what lies between the first offset of a slice and its last."""
    _, offsets, texts = chunk.buffers()
    if not len(chunk) or texts is None:
        return b""
    places = np.frombuffer(offsets, dtype=np.int32)
    return bytes(texts[int(places[chunk.offset]) : int(places[chunk.offset + len(chunk)])])

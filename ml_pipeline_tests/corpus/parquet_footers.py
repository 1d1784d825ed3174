"""Parquet files written by hand, as no library would: schemas of any size, row groups listed many times, pages of a gigabyte.

Thrift's compact protocol as Parquet uses it (Apache Parquet, parquet.thrift; Apache Thrift, compact protocol specification).
"""

import io
from collections.abc import Sequence
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

_MAGIC = b"PAR1"
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_INT32, _BYTE_ARRAY = 1, 6
_REQUIRED, _OPTIONAL = 0, 1
_UTF8, _ZSTD, _PLAIN, _RLE, _DATA_PAGE = 0, 6, 0, 3, 0
_BLOCK = 1 << 20

# A field of a struct: its number, its kind, its value.
Field = tuple[int, int, bytes]


@cache
def flat(columns: int) -> bytes:
    """A file without rows, of ``columns`` columns of whole numbers."""
    return _file([_group(b"schema", columns), *(_leaf(b"%d" % number) for number in range(columns))])


def nested(levels: int) -> bytes:
    """A file without rows, of one column ``levels`` groups deep."""
    return _file([_group(b"schema", 1), *[_group(b"g", 1)] * levels, _leaf(b"x")])


def repeated(rows: pa.Table, doublings: int) -> bytes:
    """``rows`` as one row group that the footer lists 2^``doublings`` times: each time a reader decodes it anew."""
    whole = io.BytesIO()
    pq.write_table(rows, whole, row_group_size=rows.num_rows, compression="ZSTD")
    footer = pq.read_metadata(whole)
    for _ in range(doublings):
        footer.append_row_groups(footer)
    listed = io.BytesIO()
    footer.write_metadata_file(listed)
    content = whole.getvalue()
    data = content[: -8 - int.from_bytes(content[-8:-4], "little")]
    return data + listed.getvalue().removeprefix(_MAGIC)


def long_text(column: bytes, size: int) -> bytes:
    """One row of one column with a text of ``size`` letters, written without holding them."""
    page = _compressed(size.to_bytes(4, "little"), size)
    header = _struct((1, _I32, _signed(_DATA_PAGE)), (2, _I32, _signed(size + 4)), (3, _I32, _signed(len(page))), (5, _STRUCT, _struct(
        (1, _I32, _signed(1)), (2, _I32, _signed(_PLAIN)), (3, _I32, _signed(_RLE)), (4, _I32, _signed(_RLE)),
    )))  # fmt: skip
    facts = _struct(
        (1, _I32, _signed(_BYTE_ARRAY)), (2, _LIST, _list(_I32, [_signed(_PLAIN)])), (3, _LIST, _list(_BINARY, [_binary(column)])),
        (4, _I32, _signed(_ZSTD)), (5, _I64, _signed(1)), (6, _I64, _signed(len(header) + size + 4)),
        (7, _I64, _signed(len(header) + len(page))), (9, _I64, _signed(len(_MAGIC))),
    )  # fmt: skip
    chunk = _struct((2, _I64, _signed(len(_MAGIC))), (3, _STRUCT, facts))
    group = _struct(
        (1, _LIST, _list(_STRUCT, [chunk])), (2, _I64, _signed(len(header) + size + 4)), (3, _I64, _signed(1))
    )
    text = _struct(
        (1, _I32, _signed(_BYTE_ARRAY)), (3, _I32, _signed(_REQUIRED)), (4, _BINARY, _binary(column)), (6, _I32, _signed(_UTF8)),
    )  # fmt: skip
    return _file([_group(b"schema", 1), text], data=header + page, rows=1, groups=[group])


def _compressed(head: bytes, letters: int) -> bytes:
    found = pa.BufferOutputStream()
    block = b"x" * _BLOCK
    with pa.CompressedOutputStream(found, "zstd") as stream:
        stream.write(head)
        for start in range(0, letters, _BLOCK):
            stream.write(block[: letters - start])
    return bytes(found.getvalue())


def _file(schema: Sequence[bytes], *, data: bytes = b"", rows: int = 0, groups: Sequence[bytes] = ()) -> bytes:
    footer = _struct(
        (1, _I32, _signed(1)), (2, _LIST, _list(_STRUCT, schema)), (3, _I64, _signed(rows)), (4, _LIST, _list(_STRUCT, groups)),
    )  # fmt: skip
    return _MAGIC + data + footer + len(footer).to_bytes(4, "little") + _MAGIC


def _group(name: bytes, children: int) -> bytes:
    return _struct((3, _I32, _signed(_OPTIONAL)), (4, _BINARY, _binary(name)), (5, _I32, _signed(children)))


def _leaf(name: bytes) -> bytes:
    return _struct((1, _I32, _signed(_INT32)), (3, _I32, _signed(_OPTIONAL)), (4, _BINARY, _binary(name)))


def _struct(*fields: Field) -> bytes:
    """Each field begins with how far its number lies beyond that of the one before."""
    found, last = bytearray(), 0
    for number, kind, value in fields:
        found += bytes([number - last << 4 | kind]) + value
        last = number
    return bytes(found) + b"\0"


def _list(kind: int, values: Sequence[bytes]) -> bytes:
    few = len(values) < 15
    head = bytes([len(values) << 4 | kind]) if few else bytes([0xF0 | kind]) + _varint(len(values))
    return head + b"".join(values)


def _binary(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _signed(number: int) -> bytes:
    return _varint(number << 1)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])

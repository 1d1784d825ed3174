"""Whether the bytes of a CSV file are the one dialect that is read: RFC 4180 with commas, UTF-8, one kind of line end.

Nothing is sniffed. Each rule answers with the byte at which the file breaks the dialect, so the message names a line.
"""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.delivery import LimitsContract
from ml_pipeline.io.connectors.connector import DeliveryError, shown

_QUOTE, _COMMA, _CR, _LF = b'",\r\n'
_BOM = b"\xef\xbb\xbf"
_CELLS_OF_A_RECORD = 4
_LONG = "a record of more than {:,} bytes (limits: max_cell_bytes)"
_OTHER_DELIMITERS = re.compile(r"[;\t|]")

Breach = tuple[int, str]


@dataclass(frozen=True)
class CsvBytes:
    """A file's bytes, and where its records and cells end; a quoted comma or line end is text."""

    content: bytes
    limits: LimitsContract

    @cached_property
    def array(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.content, dtype=np.uint8)

    @cached_property
    def is_quoted(self) -> NDArray[np.uint8]:
        """1 from an opening quote to the byte before its closing one, shape (bytes,)."""
        return np.bitwise_xor.accumulate((self.array == _QUOTE).view(np.uint8))

    @cached_property
    def record_ends(self) -> NDArray[np.int64]:
        """Position of each line feed that ends a record, and of the end of the file if the last one has none."""
        ends = self.unquoted(_LF)
        has_last = len(self.content) > 0 and (not len(ends) or ends[-1] != len(self.content) - 1)
        return np.append(ends, len(self.content)) if has_last else ends

    @cached_property
    def record_starts(self) -> NDArray[np.int64]:
        starts: NDArray[np.int64] = np.append(0, self.record_ends[:-1] + 1).astype(np.int64)
        return starts

    @cached_property
    def is_blank(self) -> NDArray[np.bool_]:
        """Whether a record holds nothing at all, shape (records,); such are no rows."""
        lengths = self.record_ends - self.record_starts
        first = self.array[np.minimum(self.record_starts, max(len(self.content) - 1, 0))]
        blank: NDArray[np.bool_] = (lengths == 0) | ((lengths == 1) & (first == _CR))
        return blank

    @cached_property
    def cells(self) -> NDArray[np.int64]:
        """How many cells each record has, shape (records,)."""
        commas = self.unquoted(_COMMA)
        counts = np.searchsorted(commas, self.record_ends) - np.searchsorted(commas, self.record_starts)
        return counts + 1

    @cached_property
    def header(self) -> list[str]:
        start = len(_BOM) if self.content.startswith(_BOM) else 0
        first = int(np.argmin(self.is_blank))
        text = self.content[max(start, int(self.record_starts[first])) : int(self.record_ends[first])]
        return next(csv.reader([text.decode("utf-8").rstrip("\r")], strict=True), [])

    def line(self, position: int) -> int:
        """The line, counted from one, on which the byte at ``position`` lies."""
        return self.content.count(b"\n", 0, position) + 1

    def line_of_row(self, row: int) -> int:
        """The line on which data row ``row``, counted from zero, begins."""
        return self.line(int(self.record_starts[~self.is_blank][row + 1]))

    def unquoted(self, byte: int) -> NDArray[np.int64]:
        found: NDArray[np.int64] = np.flatnonzero((self.array == byte) & (self.is_quoted == 0))
        return found


def _not_utf8(csv_bytes: CsvBytes) -> Breach | None:
    try:
        csv_bytes.content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start, f"byte 0x{csv_bytes.content[error.start]:02x} is no UTF-8; save the file as UTF-8"
    return None


def _unbalanced_quotes(csv_bytes: CsvBytes) -> Breach | None:
    if not csv_bytes.is_quoted[-1]:
        return None
    opened = int(np.flatnonzero(csv_bytes.array == _QUOTE)[-1])
    return opened, "a quote is opened and never closed"


def _stray_quotes(csv_bytes: CsvBytes) -> Breach | None:
    quotes = np.flatnonzero(csv_bytes.array == _QUOTE)
    is_opening = csv_bytes.is_quoted[quotes] == 1
    before = np.append(_LF, csv_bytes.array)[quotes]
    after = np.append(csv_bytes.array, np.uint8(_LF))[quotes + 1]
    if csv_bytes.content.startswith(_BOM + b'"'):
        before[0] = _LF
    is_right = np.where(is_opening, np.isin(before, (_COMMA, _LF, _QUOTE)), np.isin(after, (_COMMA, _CR, _LF, _QUOTE)))
    if is_right.all():
        return None
    return int(quotes[np.argmin(is_right)]), "a quote stands inside a cell; quote the cell and double the quote"


def _mixed_line_ends(csv_bytes: CsvBytes) -> Breach | None:
    returns, feeds = csv_bytes.unquoted(_CR), csv_bytes.unquoted(_LF)
    after = np.append(csv_bytes.array, np.uint8(_LF))[returns + 1]
    if len(returns) and (after != _LF).any():
        return int(returns[np.argmax(after != _LF)]), "a carriage return without a line feed"
    if len(returns) in (0, len(feeds)):
        return None
    is_crlf = np.isin(feeds - 1, returns)
    return int(feeds[np.argmax(is_crlf != is_crlf[0])]), "the line ends otherwise than the lines before it (LF, CRLF)"


def _long_record(csv_bytes: CsvBytes) -> Breach | None:
    allowed = csv_bytes.limits.max_cell_bytes * _CELLS_OF_A_RECORD
    is_long = csv_bytes.record_ends - csv_bytes.record_starts > allowed
    if not is_long.any():
        return None
    return int(csv_bytes.record_starts[np.argmax(is_long)]), _LONG.format(allowed)


def _other_delimiter(csv_bytes: CsvBytes) -> Breach | None:
    first = int(np.argmin(csv_bytes.is_blank))
    found = _OTHER_DELIMITERS.search(csv_bytes.header[0]) if len(csv_bytes.header) == 1 else None
    if found is None:
        return None
    return int(csv_bytes.record_starts[first]), f"the cells are parted by {found[0]!r}; part them by commas"


def _many_columns(csv_bytes: CsvBytes) -> Breach | None:
    count = len(csv_bytes.header)
    if count <= csv_bytes.limits.max_columns:
        return None
    return 0, f"{count:,} columns, limits: max_columns allows {csv_bytes.limits.max_columns:,}"


def _many_rows(csv_bytes: CsvBytes) -> Breach | None:
    count = len(csv_bytes.record_ends)
    if count <= csv_bytes.limits.max_rows:
        return None
    return 0, f"{count:,} records, limits: max_rows allows {csv_bytes.limits.max_rows:,}"


def _ragged(csv_bytes: CsvBytes) -> Breach | None:
    expected = len(csv_bytes.header)
    is_off = (csv_bytes.cells != expected) & ~csv_bytes.is_blank
    if not is_off.any():
        return None
    place = int(np.argmax(is_off))
    return int(csv_bytes.record_starts[place]), f"{csv_bytes.cells[place]} cells, the header has {expected}"


DIALECT_RULES: tuple[Callable[[CsvBytes], Breach | None], ...] = (
    _not_utf8, _unbalanced_quotes, _stray_quotes, _mixed_line_ends, _long_record, _other_delimiter, _many_columns,
    _many_rows, _ragged,
)  # fmt: skip


def require_short_lines(path: Path, handle: BinaryIO, limits: LimitsContract) -> None:
    """Look through ``handle`` a block at a time, so that a line of a gigabyte is never held; leaves it at its beginning.

    What it lets through, up to twice the allowed length, ``require_dialect`` refuses.

    Raises:
        DeliveryError: a line has more bytes than a record may have; names it.
    """
    allowed = limits.max_cell_bytes * _CELLS_OF_A_RECORD
    line = 1
    while block := handle.read(allowed + 1):
        feeds = block.count(b"\n")
        if not feeds and len(block) > allowed:
            raise DeliveryError(f"{shown(path)}, line {line}: {_LONG.format(allowed)}. Correct the file and run again")
        line += feeds
    handle.seek(0)


def require_dialect(path: Path, content: bytes, limits: LimitsContract) -> CsvBytes:
    """Return ``content`` with its records told apart.

    Raises:
        DeliveryError: it is another dialect, or too costly; names the line.
    """
    csv_bytes = CsvBytes(content, limits)
    if csv_bytes.is_blank.all():
        raise DeliveryError(f"{shown(path)}: it has no header; deliver the header of a night without rows")
    for rule in DIALECT_RULES:
        breach = rule(csv_bytes)
        if breach is not None:
            raise DeliveryError(
                f"{shown(path)}, line {csv_bytes.line(breach[0])}: {shown(breach[1])}. Correct the file and run again"
            )
    return csv_bytes

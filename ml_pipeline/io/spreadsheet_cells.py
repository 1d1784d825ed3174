"""Cells that a spreadsheet takes for text and never for a formula (OWASP, "CSV Injection")."""

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal

_STARTS_A_FORMULA = tuple("=+-@＝＋－＠\t\r\n|%")  # noqa: RUF001 - full-width signs work in some versions
# Programs drop these before they look at the first sign; a byte order mark and other format signs are not shown at all.
_DROPPED = " \"'`\xa0\u200b\u200c\u200d\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\0"
_EXACT_IN_A_SPREADSHEET = 2**53

Cell = str | int | float | bool | date | datetime | None


def neutralised(text: str) -> str:
    """``text`` with a leading apostrophe if a spreadsheet could take it for a formula or a command, else as it is."""
    bare = text.lstrip(_DROPPED)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) or bare.startswith(_STARTS_A_FORMULA) else text


def cell(value: object) -> Cell:
    """``value`` of a query as a cell: numbers stay numbers, days and instants (UTC) stay such, all else is inert text.

    Integers that a spreadsheet would round, and numbers that it does not know (NaN, infinities), are text.
    """
    if value is None or isinstance(value, bool | datetime | date):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _EXACT_IN_A_SPREADSHEET else neutralised(str(value))
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else neutralised(str(value))
    return neutralised(_text(value))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, time | timedelta):
        return str(value)
    return str(value)

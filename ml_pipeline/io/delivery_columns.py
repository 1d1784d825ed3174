"""Whether the columns of a file are those of the contract: by exact name and exact type, never by a silent cast."""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError, shown

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class FoundColumns:
    """Names in the order of the file, and the type of each where the file itself says it (CSV does not)."""

    names: tuple[str, ...]
    types: Mapping[str, pa.DataType]


def expected_types(source: SourceContract) -> dict[str, pa.DataType]:
    """The Arrow type in which a file delivers each column: a wall clock's readings come without a time zone."""
    types = {field.name: field.type for field in source.arrow_schema()}
    return types | {column.name: pa.timestamp("us") for column in source.columns if column.timezone}


def _twice(found: FoundColumns, _: SourceContract) -> str | None:
    doubled = sorted(name for name, count in Counter(found.names).items() if count > 1)
    return f"columns {_listed(doubled)} are delivered twice; keep one of each" if doubled else None


def _missing(found: FoundColumns, source: SourceContract) -> str | None:
    missing = [name for name in source.column_names if name not in found.names]
    if not missing:
        return None
    unknown = [name for name in found.names if name not in source.column_names]
    folded = {name.strip().casefold(): name for name in unknown}
    hints = []
    for name in missing:
        near = folded.get(name) or next(iter(difflib.get_close_matches(name, unknown, 1, 0.75)), None)
        hints += [f"{shown(near)!r} looks like {name}"] if near else []
    told = f" ({'; '.join(hints)}: rename it)" if hints else ""
    return f"missing columns {_listed(missing)}, unknown columns {_listed(unknown)}{told}"


def _hostile(found: FoundColumns, source: SourceContract) -> str | None:
    bad = [name for name in found.names if name not in source.column_names and not _IDENTIFIER.fullmatch(name)]
    return f"unknown columns {_listed(bad)}, which are no names of columns" if bad else None


def _other_types(found: FoundColumns, source: SourceContract) -> str | None:
    expected = expected_types(source)
    wrong = [
        f"{name}: {found.types[name]}, expected {expected[name]}"
        for name in source.column_names
        if name in found.types and not _is_same_type(found.types[name], expected[name])
    ]
    return f"wrong types {wrong}" if wrong else None


COLUMN_RULES: tuple[Callable[[FoundColumns, SourceContract], str | None], ...] = (
    _twice,
    _missing,
    _hostile,
    _other_types,
)


def require_columns(path: Path, found: FoundColumns, source: SourceContract) -> tuple[str, ...]:
    """Return the columns that the contract does not know, which a person may accept.

    Raises:
        DeliveryError: a column is missing, doubled, of another type, or has a name that is none.
    """
    refusal = next((answer for rule in COLUMN_RULES if (answer := rule(found, source)) is not None), None)
    if refusal is not None:
        raise DeliveryError(f"{shown(path)}: {refusal}. Correct the file, or the contract in sources.yml")
    return tuple(name for name in found.names if name not in source.column_names)


def _is_same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    # Text has three layouts in Arrow that hold the same values; nothing else is forgiven.
    if pa.types.is_string(expected):
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found))
    return bool(found == expected)


def _listed(names: Sequence[str]) -> str:
    kept = [shown(name) for name in names[:10]]
    return f"{kept}" if len(names) <= len(kept) else f"{kept} and {len(names) - len(kept)} more"

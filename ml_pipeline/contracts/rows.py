"""pandera contracts of landed rows: strict, without coercion, all errors at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.row_rules import ROW_RULES, BrokenCells
from ml_pipeline.contracts.source import ColumnContract, SourceContract

_PANDAS_DTYPES: dict[str, Any] = {
    "string": "str",
    "integer": "Int64",
    "number": "float64",
    "boolean": "boolean",
    "timestamp": pd.DatetimeTZDtype(unit="us", tz="UTC"),
    "date": "datetime64[us]",
}


PERSONAL = "(personal)"
_FIRST_MICROSECOND, _LAST_MICROSECOND = -62_135_596_800_000_000, 253_402_300_799_999_999


class SourceShapeError(ValueError):
    """A source delivered other columns or types than its contract names; nothing of it can be landed."""


@dataclass(frozen=True)
class BrokenRule:
    """One cell, or one row, that breaks the contract.

    ``row`` is a position in the checked table; ``value`` is "(personal)" for personal columns.
    """

    row: int
    rule: str
    column: str
    value: str


def require_shape(rows: pa.Table, contract: SourceContract) -> pa.Table:
    """Return ``rows`` with its columns in contract order, and with null for NaN in number columns.

    Of the two kinds of missing only null equals itself: with NaN kept, a night that is delivered again unchanged
    would look changed.

    Raises:
        SourceShapeError: a column is missing, unknown, or of another type. Nothing is cast: a silent cast turns
            9.99 into 10 and '00123' into 123.
    """
    expected = contract.arrow_schema()
    missing = [name for name in expected.names if name not in rows.schema.names]
    unknown = [name for name in rows.schema.names if name not in expected.names]
    wrong = [
        f"{name} is {rows.schema.field(name).type}, the contract says {expected.field(name).type}"
        for name in expected.names
        if name in rows.schema.names and rows.schema.field(name).type != expected.field(name).type
    ]
    if missing or unknown or wrong:
        raise SourceShapeError(
            f"source {contract.name}: missing columns {missing}, unknown columns {unknown}, wrong types {wrong}. "
            "Correct the delivery, or the contract in sources.yml"
        )
    return pa.table([_without_nan(rows.column(name)) for name in expected.names], schema=expected)


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def broken_rules(rows: pa.Table, contract: SourceContract) -> tuple[BrokenRule, ...]:
    """Check every value of ``rows`` (already of the right shape) and return what breaks the contract."""
    import pandera.pandas as pandera

    frame = _checked_frame(rows, contract)
    schema = pandera.DataFrameSchema(
        {column.name: _pandera_column(column) for column in contract.columns}, strict=True, coerce=False
    )
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        found = _as_broken_rules(errors.failure_cases, contract)
    else:
        found = ()
    for rule in ROW_RULES:
        for cells in rule(rows, contract):
            found += _of_cells(cells, rows, contract)
    return found


def _of_cells(cells: BrokenCells, rows: pa.Table, contract: SourceContract) -> tuple[BrokenRule, ...]:
    if not pc.any(cells.mask).as_py():
        return ()
    places = np.flatnonzero(cells.mask.to_numpy())
    values = texts_of(rows.column(cells.column).take(pa.array(places)))
    is_personal = cells.column in contract.personal_columns
    return tuple(
        BrokenRule(int(place), cells.rule, cells.column, PERSONAL if is_personal else value)
        for place, value in zip(places, values, strict=True)
    )


def texts_of(column: pa.ChunkedArray) -> list[str]:
    """Each value as text; an instant beyond the years 1 to 9999 as its count, because Arrow writes another date for it."""
    if pa.types.is_timestamp(column.type):
        counts = column.cast(pa.int64())
        is_far = pc.or_(pc.greater(counts, _LAST_MICROSECOND), pc.less(counts, _FIRST_MICROSECOND))
        far = pc.binary_join_element_wise(counts.cast(pa.string()), "microseconds since 1970", " ")
        column = pc.if_else(is_far, far, column.cast(pa.string()))
    elif pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    return [str(value) for value in column.to_pylist()]


def _checked_frame(rows: pa.Table, contract: SourceContract) -> pd.DataFrame:
    # Nullable extension types, because plain pandas turns an integer column with a gap into floats and
    # 2**53 + 1 into its even neighbour.
    arrays = {}
    for column in contract.columns:
        chunked = rows.column(column.name)
        if column.type == "date":
            chunked = chunked.cast(pa.timestamp("us"))
        mapper = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
        arrays[column.name] = chunked.to_pandas(types_mapper=mapper).astype(_PANDAS_DTYPES[column.type])
    return pd.DataFrame(arrays)


def _pandera_column(column: ColumnContract) -> Any:
    import pandera.pandas as pandera

    checks = []
    # error=, because pandera's own checks keep their own name whatever name= says.
    if column.type == "number":
        # NaN is a missing value; infinity is a broken one, and pandera lets it pass a one-sided range.
        checks.append(pandera.Check(lambda values: ~np.isinf(values), error="finite"))
    if column.minimum is not None:
        checks.append(pandera.Check.ge(column.minimum, error=f"at least {column.minimum:g}"))
    if column.maximum is not None:
        checks.append(pandera.Check.le(column.maximum, error=f"at most {column.maximum:g}"))
    if column.accepted_values is not None:
        checks.append(pandera.Check.isin(column.accepted_values, error=f"one of {list(column.accepted_values)}"))
    if column.pattern is not None:
        checks.append(pandera.Check.str_matches(rf"(?:{column.pattern})\Z", error=f"matches {column.pattern}"))
    return pandera.Column(_PANDAS_DTYPES[column.type], checks=checks, nullable=column.nullable)


def _as_broken_rules(failures: pd.DataFrame, contract: SourceContract) -> tuple[BrokenRule, ...]:
    without_row = failures[failures["index"].isna()]
    if len(without_row):
        raise SourceShapeError(
            f"source {contract.name}: {without_row[['column', 'check', 'failure_case']].to_dict('records')[:5]}. "
            "A check of the contract cannot be applied to this delivery; correct sources.yml or the delivery"
        )
    ordered = failures.sort_values(["index", "column", "check"])
    cells = zip(ordered["index"], ordered["check"], ordered["column"], ordered["failure_case"], strict=True)
    personal = contract.personal_columns
    return tuple(
        BrokenRule(int(row), str(rule), str(column), PERSONAL if column in personal else str(value))
        for row, rule, column, value in cells
    )

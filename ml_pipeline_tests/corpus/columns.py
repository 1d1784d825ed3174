"""B5 to B8, B24: other columns, other types, other names."""

import random
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa

from ml_pipeline_tests.corpus.good_nights import ROWS, Row
from ml_pipeline_tests.corpus.workshop import TONIGHT, Case, Drop


def _renamed(old: str, new: str) -> Callable[[Drop], None]:
    return lambda drop: drop.edit_text(lambda text: text.replace(old, new, 1))


def _with_column(name: str) -> Callable[[Drop], None]:
    def spoil(drop: Drop) -> None:
        drop.edit(lambda rows: [row | {name: "x"} for row in rows])

    return spoil


def _without_column(drop: Drop) -> None:
    drop.edit(lambda rows: [{name: value for name, value in row.items() if name != "quantity"} for row in rows])


def _typed(name: str, values: pa.Array) -> Callable[[Drop], None]:
    def spoil(drop: Drop) -> None:
        drop.edit_returns(lambda rows: rows.set_column(rows.schema.get_field_index(name), name, values))

    return spoil


def _known_at(kind: pa.DataType) -> Callable[[Drop], None]:
    return lambda drop: drop.edit_returns(lambda rows: rows.set_column(6, "known_at", rows.column(6).cast(kind)))


def _cell(name: str, value: str) -> Callable[[Drop], None]:
    def change(rows: list[Row]) -> None:
        rows[7][name] = value

    return lambda drop: drop.edit(change)


def _reordered(drop: Drop) -> None:
    names = drop.orders.read_text(encoding="utf-8").splitlines()[0].split(",")
    random.Random(1).shuffle(names)
    drop.edit(lambda rows: [{name: row[name] for name in names} for row in rows])


TYPES = (
    ("int to float", _typed("parts", pa.array([1.5] * ROWS)), "parts: double, expected int64"),
    ("int64 to int32", _typed("parts", pa.array([1] * ROWS, pa.int32())), "parts: int32, expected int64"),
    ("float to text", _typed("refund_eur", pa.array(["7.5"] * ROWS)), "refund_eur: string, expected double"),
    (
        "days as text",
        _typed("dispatch_date", pa.array([str(TONIGHT)] * ROWS)),
        "dispatch_date: string, expected date32[day]",
    ),
    ("bool to int", _typed("is_sent_back", pa.array([1] * ROWS)), "is_sent_back: int64, expected bool"),
    (
        "decimal",
        _typed("refund_eur", pa.array([Decimal("7.50")] * ROWS)),
        "refund_eur: decimal128(3, 2), expected double",
    ),
    ("no time zone", _known_at(pa.timestamp("us")), "known_at: timestamp[us], expected timestamp[us, tz=UTC]"),
    (
        "nanoseconds",
        _known_at(pa.timestamp("ns", tz="UTC")),
        "known_at: timestamp[ns, tz=UTC], expected timestamp[us, tz=UTC]",
    ),
    ("another time zone", _known_at(pa.timestamp("us", tz="Europe/Berlin")), "tz=Europe/Berlin], expected"),
)
CELLS = (
    ("int to float in CSV", "quantity", "9.99", "'9.99' is not a whole number"),
    ("bool for a number in CSV", "quantity", "true", "'true' is not a whole number"),
    ("text for a number in CSV", "price_eur", "7.5 EUR", "'7.5 EUR' is not a number"),
    ("instant without offset in CSV", "known_at", "2024-03-30 12:00:00", "is not an instant with its offset"),
    ("nanoseconds in CSV", "known_at", "2024-03-30 12:00:00.123456789Z", "at most microseconds"),
)

CASES = (
    Case("B5", "one column more", _with_column("colour"), "HOLD", ("columns that the contract does not know: colour", "ml-pipeline hold accept"), decided_by=("unknown columns",)),
    Case("B6", "missing column", _without_column, "REJECT", ("missing columns ['quantity'], unknown columns []",), decided_by=("_missing",)),
    Case("B6", "missing column of a Parquet file", lambda drop: drop.edit_returns(lambda rows: rows.drop_columns(["product_code"])), "REJECT", ("missing columns ['product_code'], unknown columns []",), source="returns", decided_by=("_missing",)),
    Case("B6", "renamed", _renamed("quantity", "quantities"), "REJECT", ("'quantities' looks like quantity",), decided_by=("_missing",)),
    Case("B6", "another case", _renamed("quantity", "Quantity"), "REJECT", ("'Quantity' looks like quantity",), decided_by=("_missing",)),
    Case("B6", "a space behind the name", _renamed("quantity", "quantity "), "REJECT", ("'quantity ' looks like quantity",), decided_by=("_missing",)),
    *(Case("B7", name, spoil, "REJECT", (says,), source="returns", decided_by=("_other_types",)) for name, spoil, says in TYPES),
    *(Case("B7", name, _cell(column, value), "REJECT", ("line 9", f"column {column}", says), decided_by=("_as_written",)) for name, column, value, says in CELLS),
    Case("B8", "columns in another order", _reordered, "ACCEPT", account=(60, 0, 0)),
    Case("B24", "a column that is SQL", _with_column('x"; DROP TABLE y; --'), "REJECT", ("unknown columns", "no names of columns"), decided_by=("_hostile",)),
    Case("B24", "a column twice", _renamed("coupon", "quantity"), "REJECT", ("columns ['quantity'] are delivered twice",), decided_by=("_twice",)),
    Case("B24", "a value that is SQL", _cell("coupon", "'); COPY x TO '/etc/passwd'; --"), "ACCEPT", account=(60, 0, 0)),
)  # fmt: skip

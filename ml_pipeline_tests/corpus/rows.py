"""B9 to B16, B22, B23, B25, B28: what is wrong with rows and cells, and with the text that they are written in."""

from collections.abc import Callable

import pyarrow as pa

from ml_pipeline.domain.landing import ONE_ROW_PER_KEY
from ml_pipeline_tests.corpus.good_nights import PERSON, Row, order_rows
from ml_pipeline_tests.corpus.workshop import HISTORY, Case, Drop

SHARE = "allowed share 5.00%"


def _cells(column: str, value: str, count: int = 1) -> Callable[[Drop], None]:
    def change(rows: list[Row]) -> None:
        for row in rows[10 : 10 + count]:
            row[column] = value

    return lambda drop: drop.edit(change)


def _twins(first: str, second: str) -> Callable[[Drop], None]:
    """Two orders whose numbers are ``first`` and ``second`` and that agree in everything else."""

    def change(rows: list[Row]) -> list[Row]:
        twins = [rows[-1] | {"order_id": key} for key in (first, second)]
        return [*rows[:-2], *twins]

    return lambda drop: drop.edit(change)


def _copies(drop: Drop) -> None:
    drop.edit(lambda rows: [*rows, *rows[:5]])


def _contradiction(drop: Drop) -> None:
    drop.edit(lambda rows: [*rows, rows[0] | {"price_eur": "99.5"}])


def _nan_in_parquet(drop: Drop) -> None:
    refunds = pa.array([float("nan"), -0.0, 5e-324, *[13.5] * 57])
    drop.edit_returns(lambda rows: rows.set_column(5, "refund_eur", refunds))


def _infinity_in_parquet(drop: Drop) -> None:
    refunds = pa.array([float("inf"), float("-inf"), *[13.5] * 58])
    drop.edit_returns(lambda rows: rows.set_column(5, "refund_eur", refunds))


def _seconds_as_microseconds(drop: Drop) -> None:
    def change(rows: pa.Table) -> pa.Table:
        seconds = pa.array([value // 1_000_000 for value in rows.column("known_at").cast(pa.int64()).to_pylist()])
        return rows.set_column(6, "known_at", seconds.cast(pa.timestamp("us", tz="UTC")))

    drop.edit_returns(change)


def _far_instant(drop: Drop) -> None:
    def change(rows: pa.Table) -> pa.Table:
        values = rows.column("known_at").cast(pa.int64()).to_pylist()
        return rows.set_column(
            6, "known_at", pa.array([values[0] * 1000, *values[1:]]).cast(pa.timestamp("us", tz="UTC"))
        )

    drop.edit_returns(change)


def _stray_days(count: int) -> Callable[[Drop], None]:
    def change(rows: list[Row]) -> list[Row]:
        strays = order_rows(HISTORY[-2])[:count]
        return [*rows[count:], *strays]

    return lambda drop: drop.edit(change)


def _categories(drop: Drop) -> None:
    drop.edit(lambda rows: [row | {"product_code": f"new{n}"} for n, row in enumerate(rows)])


def _ten_thousand_categories(drop: Drop) -> None:
    def change(rows: list[Row]) -> list[Row]:
        return [rows[n % 60] | {"order_id": f"P{n:06d}", "product_code": f"new{n}"} for n in range(10_000)]

    drop.edit(change)


def _raw(old: bytes, new: bytes) -> Callable[[Drop], None]:
    return lambda drop: drop.orders.write_bytes(drop.orders.read_bytes().replace(old, new, 1))


def _text(change: Callable[[list[str]], list[str]], count: int | None = None) -> Callable[[Drop], None]:
    def spoil(drop: Drop) -> None:
        drop.edit_text(lambda text: "\n".join(change(text.splitlines())) + "\n")
        drop.delivered = count if count is not None else drop.delivered

    return spoil


def _line(number: int, change: Callable[[str], str]) -> Callable[[Drop], None]:
    return _text(lambda lines: [change(line) if n == number else line for n, line in enumerate(lines, start=1)])


def _late_in_a_long_file(drop: Drop) -> None:
    def change(rows: list[Row]) -> list[Row]:
        many = [rows[n % 60] | {"order_id": f"P{n:06d}"} for n in range(15_001)]
        many[15_000]["quantity"] = "many"
        return many

    drop.edit(change)


_KEY = "O005400"
CONTROL = "a key holds no control, invisible or direction characters"

CASES = (
    Case("B9", "five rows twice", _copies, "ACCEPT", account=(60, 0, 5), decided_by=("_positions_of_copies",)),
    Case("B10", "one key, two prices", _contradiction, "QUARANTINE", (ONE_ROW_PER_KEY,), (59, 2, 0), decided_by=("_positions_of_conflicts",)),
    Case("B11", "missing key", _cells("order_id", ""), "QUARANTINE", ("order_id: a key is not empty",), (59, 1, 0), decided_by=("_keys_that_are_empty",)),
    Case("B11", "blank key", _cells("order_id", " \t\u3000"), "QUARANTINE", ("order_id: a key is not empty",), (59, 1, 0), decided_by=("_keys_that_are_empty",)),
    Case("B12", "NaN, -0.0, denormal where a value may be missing", _nan_in_parquet, "ACCEPT", account=(60, 0, 0), source="returns"),
    Case("B12", "infinity", _infinity_in_parquet, "QUARANTINE", ("refund_eur: finite",), (58, 2, 0), source="returns", decided_by=("finite",)),
    Case("B12", "NaN in CSV", _cells("price_eur", "NaN"), "ACCEPT", account=(60, 0, 0)),
    Case("B12", "1e400 in CSV", _cells("price_eur", "1e400"), "QUARANTINE", ("price_eur: finite",), (59, 1, 0), decided_by=("finite",)),
    Case("B13", "2^63", _cells("quantity", str(2**63)), "REJECT", ("line 12, column quantity", "from -2^63 to 2^63 - 1"), decided_by=("overflow",)),
    Case("B13", "2^53 + 1", _cells("quantity", str(2**53 + 1)), "ACCEPT", account=(60, 0, 0)),
    Case("B13", "below the least", _cells("quantity", "-1"), "QUARANTINE", ("quantity: at least 1",), (59, 1, 0), decided_by=("at least",)),
    Case("B13", "00123 for a whole number", _cells("quantity", "00123"), "REJECT", ("line 12, column quantity: '00123' is not a whole number",), decided_by=("_as_written",)),
    Case("B14", "from the future", _cells("placed_at", "2024-04-09 12:00:00Z"), "QUARANTINE", ("placed_at: not after known_at",), (59, 1, 0), decided_by=("_events_from_the_future",)),
    Case("B14", "the year 1", _cells("dispatch_date", "0001-01-01"), "QUARANTINE", ("dispatch_date: no earlier than 1800-01-01",), (59, 1, 0), decided_by=("_days_out_of_range",)),
    Case("B14", "the year 9999", _cells("dispatch_date", "9999-12-31"), "QUARANTINE", ("dispatch_date: no later than 2199-12-31",), (59, 1, 0), decided_by=("_days_out_of_range",)),
    Case("B14", "1970", _cells("placed_at", "1970-01-01 00:00:00Z"), "QUARANTINE", ("placed_at: the unit looks like seconds",), (59, 1, 0), decided_by=("_instants_of_another_unit",)),
    Case("B14", "seconds taken for microseconds", _seconds_as_microseconds, "REJECT", ("the unit looks like seconds or milliseconds", "(60 rows)", SHARE), source="returns", decided_by=("_instants_of_another_unit",)),
    Case("B14", "nanoseconds taken for microseconds", _far_instant, "QUARANTINE", ("known_at: the unit looks like nanoseconds",), (59, 1, 0), source="returns", decided_by=("_instants_of_another_unit",)),
    Case("B15", "a row of another day", _stray_days(1), "QUARANTINE", ("known in the night that its file is for, not on 2024-03-28",), (59, 1, 0), decided_by=("_of_own_files",)),
    Case("B15", "ten rows of another day", _stray_days(10), "REJECT", ("not on 2024-03-28 (10 rows)", "10 of 60 rows break the contract", SHARE), decided_by=("share", "_of_own_files")),
    Case("B16", "02:30 of the gap", _cells("collected_at", "2024-03-31 02:30:00"), "QUARANTINE", ("collected_at: shown by the clock of Europe/Berlin",), (59, 1, 0), decided_by=("instants_of",)),
    Case("B16", "02:30 of the fold", _cells("collected_at", "2024-10-27 02:30:00"), "QUARANTINE", ("collected_at: shown once by the clock",), (59, 1, 0), decided_by=("instants_of",)),
    Case("B16", "02:30 of the fold with its offset", _cells("collected_at", "2024-10-27 02:30:00+02:00"), "ACCEPT", account=(60, 0, 0)),
    Case("B16", "leap day", _cells("collected_at", "2024-02-29 12:00:00"), "ACCEPT", account=(60, 0, 0)),
    Case("B16", "no leap day", _cells("dispatch_date", "2023-02-29"), "REJECT", ("line 12, column dispatch_date",), decided_by=("overflow",)),
    Case("B16", "second 60", _cells("placed_at", "2024-03-30 11:59:60Z"), "QUARANTINE", ("placed_at: on a clock of sixty seconds",), (59, 1, 0), decided_by=("_SECOND_60",)),
    Case("B22", "value that the contract does not list", _cells("channel", "fax"), "QUARANTINE", ("channel: one of",), (59, 1, 0), decided_by=("one of",)),
    Case("B22", "one new value of an open list", _cells("product_code", "brand new"), "ACCEPT", account=(60, 0, 0)),
    Case("B22", "nothing but new values", _categories, "HOLD", ("column product_code, new values: 60 values that no night before had",), decided_by=("_new_texts",)),
    Case("B22", "ten thousand new values", _ten_thousand_categories, "HOLD", ("column product_code, new values: 10,000 values that no night before had",), contract={"bounds": {"volume_ratio": 1000}}, decided_by=("_new_texts",)),
    Case("B22", "NA, null, None are texts", _cells("product_code", "None", 3), "ACCEPT", account=(60, 0, 0)),
    Case("B23", "one key in two forms", _twins("cafe\u0301", "caf\u00e9"), "QUARANTINE", (ONE_ROW_PER_KEY,), (58, 2, 0), decided_by=("_composed_keys",)),
    *(
        Case("B23", f"key with {name}", _cells("order_id", f"O00{character}5410"), "QUARANTINE", (CONTROL,), (59, 1, 0), decided_by=("_keys_that_cannot_be_seen",))
        for name, character in (("RTL override", "\u202e"), ("zero width space", "\u200b"), ("NUL", "\0"))
    ),
    Case("B23", "emoji", _cells("order_id", "O\U0001f600"), "ACCEPT", account=(60, 0, 0)),
    Case("B23", "byte order mark", _raw(b"order_id", b"\xef\xbb\xbforder_id"), "ACCEPT", account=(60, 0, 0)),
    Case("B23", "lone surrogate", _cells("coupon", "\ud800"), "REJECT", ("line 12", "is no UTF-8"), decided_by=("_not_utf8",)),
    Case("B23", "Latin-1", _raw(b"SPRING", b"FR\xdcHLING"), "REJECT", ("line 2: byte 0xdc is no UTF-8",), decided_by=("_not_utf8",)),
    *(
        Case("B25", f"formula {value!r}", _cells("coupon", value), "ACCEPT", account=(60, 0, 0))
        for value in ("=cmd|' /C calc'!A0", "@SUM(A1)", "+1", "\t=1")
    ),
    Case("B28", "ragged", _line(20, lambda line: line + ",more"), "REJECT", ("line 20: 14 cells, the header has 13",), decided_by=("_ragged",)),
    Case("B28", "quote never closed", _line(20, lambda line: line.replace("SPRING", '"SPRING').replace(PERSON, f'"{PERSON}', 1) if "SPRING" in line else line.replace(PERSON, f'"{PERSON}', 1)), "REJECT", ("line 20: a quote is opened and never closed",), decided_by=("_unbalanced_quotes",)),
    Case("B28", "quotes inside a cell", _line(20, lambda line: line.replace(PERSON, 'Grace "Amazing" Hopper')), "REJECT", ("line 20: a quote stands inside a cell",), decided_by=("_stray_quotes",)),
    Case("B28", "semicolons", _text(lambda lines: [line.replace(",", ";") for line in lines]), "REJECT", ("line 1: the cells are parted by ';'",), decided_by=("_other_delimiter",)),
    Case("B28", "tabs", _text(lambda lines: [line.replace(",", "\t") for line in lines]), "REJECT", ("the cells are parted by",), decided_by=("_other_delimiter",)),
    Case("B28", "decimal comma", _cells("price_eur", "22,5"), "REJECT", ("line 12, column price_eur: '22,5' is not a number with a decimal point",), decided_by=("_as_written",)),
    Case("B28", "line ends of two kinds", _line(20, lambda line: line + "\r"), "REJECT", ("line 20: the line ends otherwise",), decided_by=("_mixed_line_ends",)),
    Case("B28", "a carriage return alone", _raw(b"SPRING", b"SPR\rING"), "REJECT", ("line 2: a carriage return without a line feed",), decided_by=("_mixed_line_ends",)),
    Case("B28", "line end in a quoted cell", _cells("coupon", "two\nlines"), "ACCEPT", account=(60, 0, 0)),
    Case("B28", "header twice", _text(lambda lines: [lines[0], *lines]), "REJECT", ("line 2, column placed_at", "the header stands in the file twice"), decided_by=("_as_written",)),
    Case("B28", "no header", _text(lambda lines: lines[1:]), "REJECT", ("missing columns",), decided_by=("_missing",)),
    Case("B28", "bad value in row 15,001", _late_in_a_long_file, "REJECT", ("line 15002, column quantity: 'many'",), decided_by=("_as_written",)),
    Case("B28", "01/02/2024", _cells("dispatch_date", "01/02/2024"), "REJECT", ("line 12, column dispatch_date: '01/02/2024' is not a day written YYYY-MM-DD",), decided_by=("_as_written",)),
    Case("B28", "a personal value that cannot be read", _cells("customer", PERSON + " 3"), "QUARANTINE", ("customer: matches",), (59, 1, 0), decided_by=("matches",)),
    Case("B28", "a cell of a megabyte", _cells("coupon", "x" * 1_000_000), "REJECT", ("line 12: a record of more than 16,384 bytes",)),
    Case("B28", "a cell of twenty thousand bytes", _cells("coupon", "x" * 20_000), "REJECT", ("line 12: a record of more than 16,384 bytes",), decided_by=("_long_record",)),
    Case("B28", "a cell of five thousand bytes", _cells("coupon", "x" * 5_000), "REJECT", ("line 12, column coupon: a text of more than 4,096 bytes",), decided_by=("_require_short",)),
    Case("B28", "a hundred columns more", _text(lambda lines: [lines[0] + "".join(f",x{n}" for n in range(100)), *(line + "," * 100 for line in lines[1:])]), "REJECT", ("113 columns, limits: max_columns allows 40",), decided_by=("_many_columns",)),
    Case("B28", "too many lines", _text(lambda lines: [*lines, *[lines[1]] * 20_000]), "REJECT", ("records, limits: max_rows allows 20,000",), decided_by=("_many_rows",)),
)  # fmt: skip

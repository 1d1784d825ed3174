"""``python -m ml_pipeline_tests.corpus.fuzz 2000``: mutates good files and holds what lands against an independent reading.

A mutated CSV file is read again by Python's own csv module and number parsers. A mutated Parquet file may be refused, or give
the rows that were written: its pages carry checksums, and no bit of a file is ever flipped on purpose.
"""

import csv
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.contracts.rows import SourceShapeError, require_shape
from ml_pipeline.contracts.source import SCORE_DATE, SourceContract, load_sources
from ml_pipeline.domain.landing import sort_rows
from ml_pipeline.io.connectors.connector import DeliveryError, DeliveryUnsettledError
from ml_pipeline.io.connectors.folder import FolderConnector
from ml_pipeline.nights import KnownWindow
from ml_pipeline_tests.corpus.good_nights import Row, as_csv, order_rows, return_rows

NIGHT = date(2024, 3, 31)
SLOWEST_SECONDS = 30.0
_ALWAYS = KnownWindow(None, datetime.fromisoformat("2199-01-01T00:00:00+00:00"))
_CELLS = (
    "", " ", "0", "-0", "007", "1e400", "NaN", "inf", "9223372036854775808", "9007199254740993", "true", "TRUE", "1.5", "1,5",
    "2024-02-30", "0001-01-01", "2024-03-30 12:00:00", "2024-03-30T12:00:00.123456+05:30", "NA", "null", "é", "e\u0301", "\u202e",
    "\0", "=1+1", "'; drop table x; --", "a,b", 'a"b', "a\nb", "a\r\nb", "\ud7ff", "x" * 5000,
)  # fmt: skip


@dataclass
class Tally:
    """What came of the mutants; ``violations`` tell kind, number and what was wrong."""

    trials: int = 0
    refused: int = 0
    landed: int = 0
    violations: list[str] = field(default_factory=list)


def fuzz(cases: int, folder: Path, *, seed: int = 29) -> Tally:
    """Try ``cases`` mutants, a third each of bytes and cells of CSV, and of Parquet."""
    tally, sources = Tally(), load_sources(Path(__file__).with_name("sources.yml"))
    kinds: tuple[Callable[[Path, np.random.Generator, SourceContract], list[Row] | None], ...] = (
        _bytes,
        _cells,
        _parquet,
    )
    for number in range(cases):
        generator = np.random.default_rng([seed, number])
        mutate = kinds[number % 3]
        # A glob of its own kind of file: the gates are the same, and no night is missing.
        name = "returns" if mutate is _parquet else "orders"
        contract = sources[name].model_copy(update={"files": f"{name}/*"})
        root = folder / str(number)
        (root / name).mkdir(parents=True)
        written = mutate(root, generator, contract)
        started = time.perf_counter()
        told = _tried(root, contract, written, tally)
        took = time.perf_counter() - started
        tally.trials += 1
        tally.violations += [f"{mutate.__name__} {number}: {told}"] if told else []
        tally.violations += [f"{mutate.__name__} {number}: {took:.0f} s"] if took > SLOWEST_SECONDS else []
    return tally


def _tried(root: Path, contract: SourceContract, written: list[Row] | None, tally: Tally) -> str | None:
    try:
        read = FolderConnector(root).read(contract, _ALWAYS)
        rows = require_shape(read.drop(["_fault", "_delivered_for"]), contract)
        rows = rows.append_column(SCORE_DATE, pa.repeat(pa.scalar(NIGHT), rows.num_rows))
        parted = sort_rows(rows.append_column("_fault", read.column("_fault")), contract)
    except (DeliveryError, DeliveryUnsettledError, SourceShapeError) as refusal:
        tally.refused += 1
        return None if "day" in str(refusal) and "\n" not in str(refusal) else f"unclear refusal: {refusal}"
    except Exception as error:  # noqa: BLE001 - any other end is a violation, and is told
        return f"{type(error).__name__}: {error}"
    tally.landed += 1
    account = parted.accounts.get(str(NIGHT))
    if account is None or not account.is_balanced:
        return f"rows do not add up: {account}" if rows.num_rows else None
    expected = _understood(root, contract) if written is None else written
    if account.read != len(expected):
        return f"{account.read} rows read, {len(expected)} written"
    known = {_identity(row, contract) for row in expected}
    strange = [row for row in parted.landed.to_pylist() if _identity(row, contract) not in known]
    return f"{len(strange)} rows landed that were not delivered so: {strange[:1]}" if strange else None


def _bytes(root: Path, generator: np.random.Generator, _: SourceContract) -> None:
    content = bytearray(as_csv(order_rows(NIGHT)[:12]))
    for _number in range(int(generator.integers(1, 4))):
        place = int(generator.integers(len(content)))
        match int(generator.integers(4)):
            case 0:
                content[place] = int(generator.integers(256))
            case 1:
                del content[place : place + int(generator.integers(1, 40))]
            case 2:
                content[place:place] = bytes(generator.choice(list(b'",;\r\n\t0 \x00\xff'), 1).astype(np.uint8))
            case _:
                content[place:place] = content[place : place + int(generator.integers(1, 200))]
    (root / "orders" / "day.csv").write_bytes(content)


def _cells(root: Path, generator: np.random.Generator, _: SourceContract) -> None:
    rows = order_rows(NIGHT)[:12]
    for _number in range(int(generator.integers(1, 4))):
        row = rows[int(generator.integers(len(rows)))]
        row[list(row)[int(generator.integers(len(row)))]] = _CELLS[int(generator.integers(len(_CELLS)))]
    names = list(rows[0])
    if generator.random() < 0.3:
        generator.shuffle(names)
    if generator.random() < 0.1:
        names.remove(names[int(generator.integers(len(names)))])
    (root / "orders" / "day.csv").write_bytes(as_csv([{name: row[name] for name in names} for row in rows]))


def _parquet(root: Path, generator: np.random.Generator, contract: SourceContract) -> list[Row]:
    rows, path = return_rows(NIGHT).slice(0, 12), root / "returns" / "day.parquet"
    codec = str(generator.choice(["NONE", "SNAPPY", "ZSTD"]))
    pq.write_table(rows, path, write_page_checksum=True, compression=codec, use_dictionary=bool(generator.integers(2)))
    content = bytearray(path.read_bytes())
    match int(generator.integers(3)):
        case 0:
            content[int(generator.integers(len(content)))] ^= 1 << int(generator.integers(8))
        case 1:
            del content[int(generator.integers(len(content))) :]
        case _:
            place = int(generator.integers(len(content)))
            content[place : place + 4] = generator.integers(0, 256, 4, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    return list(rows.select(list(contract.column_names)).to_pylist())


def _understood(root: Path, contract: SourceContract) -> list[Row]:
    """The rows of a CSV file as Python's own parsers read them; None for a cell that they do not understand."""
    text = (root / "orders" / "day.csv").read_bytes().decode("utf-8-sig")
    read = {"integer": _whole, "number": float, "date": date.fromisoformat, "timestamp": datetime.fromisoformat}
    rows = []
    for cells in csv.DictReader(io.StringIO(text, newline="")):
        row: Row = {}
        for column in contract.columns:
            value: Any = cells[column.name]
            if column.type != "string" and column.timezone is None:
                try:
                    value = read[column.type](value) if value else None
                except ValueError:
                    value = None
            row[column.name] = value
        rows.append(row)
    return rows


def _whole(text: str) -> int:
    """The whole number that ``text`` is, if it is written as Python writes it: 007 is no other way to write 7."""
    if str(int(text)) != text:
        raise ValueError(text)
    return int(text)


def _identity(row: Row, contract: SourceContract) -> tuple[Any, ...]:
    """A row as it can be compared: instants in UTC, numbers by their bits, an empty text and none alike."""
    found = []
    for column in contract.columns:
        value = row[column.name]
        if column.timezone is not None:
            continue  # readings of a wall clock are compared in the tests of wall clocks
        if isinstance(value, float):
            value = None if np.isnan(value) else value.hex()
        elif isinstance(value, datetime):
            value = value.timestamp() if value.tzinfo else None
        elif isinstance(value, str) and column.name in contract.key:
            value = value.replace("e\u0301", "é")
        found.append(value or None if isinstance(value, str) else value)
    return tuple(found)


def main() -> int:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory(prefix="fuzz_") as folder:
        tally = fuzz(cases, Path(folder))
    for told in tally.violations:
        print(told)
    print(
        f"mutated files: {tally.trials} trials ({tally.refused} refused, {tally.landed} landed) / {len(tally.violations)} violations, seed 29"
    )
    return 1 if tally.violations else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)

"""B32: files that are small on disk and would not be in memory."""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline_tests.corpus.good_nights import return_rows
from ml_pipeline_tests.corpus.parquet_footers import flat, long_text, nested, repeated
from ml_pipeline_tests.corpus.workshop import TONIGHT, Case, Drop


def _giant_text(drop: Drop) -> None:
    codes = pa.array(["x" * 20_000_000, *["NA"] * 59])
    drop.edit_returns(
        lambda rows: rows.set_column(2, "product_code", codes), compression="ZSTD", write_statistics=False
    )


def _equal_rows(drop: Drop) -> None:
    drop.edit_returns(lambda _: _rows(19_000))


def _deep(drop: Drop) -> None:
    drop.returns.write_bytes(nested(300))


CASES = (
    Case("B32", "a text of twenty megabytes", _giant_text, "REJECT", ("60 texts of column product_code have 20,", "max_cell_bytes allows 4,096 each"), source="returns", decided_by=("_has_short_texts",)),
    Case("B32", "equal values, next to nothing on disk", _equal_rows, "REJECT", ("it has 686,375 bytes when decoded",), source="returns", decided_by=("_is_small_in_memory",), contract={"limits": {"max_decoded_bytes": 500_000}}),
    Case("B32", "a CSV file that takes too much to read", lambda _: None, "REJECT", ("reading it as CSV takes about", "max_decoded_bytes allows 50,000"), decided_by=("_require_small",), contract={"limits": {"max_decoded_bytes": 50_000}}),
    Case("B32", "a column three hundred levels deep", _deep, "REJECT", ("a column of it lies 301 levels deep",), source="returns", decided_by=("_is_shallow",)),
)  # fmt: skip


def _rows(count: int) -> pa.Table:
    """The same good outcome ``count`` times."""
    row = return_rows(TONIGHT).slice(0, 1)
    return pa.table([pa.repeat(row.column(name)[0], count) for name in row.schema.names], schema=row.schema)


def _many_rows(path: Path) -> None:
    path.write_bytes(repeated(_rows(500_000), 2))


def _ten_gigabytes(path: Path) -> None:
    """268 million rows of 37 bytes and more, in some hundred kilobytes."""
    path.write_bytes(repeated(_rows(1 << 20), 8))


def _long_names(path: Path) -> None:
    pq.write_table(pa.table({f"{n}{'x' * 100_000}": [0] for n in range(40)}), path)


def _long_name(path: Path) -> None:
    pq.write_table(pa.table({"x" * 1_100_000: [0]}), path)


def _gigabyte_line(path: Path) -> None:
    """A cell of a gigabyte; of zeros, so that the file system keeps none of them."""
    path.write_bytes(b"order_id,parts\n1,")
    with path.open("r+b") as handle:
        handle.truncate(1_000_000_000)


def _many_cells(path: Path) -> None:
    path.write_text(",".join(f"x{n}" for n in range(1_000_000)) + "\n", encoding="utf-8")


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("day.parquet", bytes(100_000_000))


@dataclass(frozen=True)
class Bomb:
    """What lies in the drop folder, the limits that its source allows beside the usual ones, and what is said of it."""

    write: Callable[[Path], object]
    says: str
    limits: Mapping[str, int] = field(default_factory=dict)
    suffix: str = ".parquet"


_ANY_ROWS = {"max_rows": 1_000_000_000}
BOMBS: Mapping[str, Bomb] = {
    "two million rows": Bomb(_many_rows, "limits: max_rows allows", {"max_rows": 1_000_000}),
    "ten gigabytes, too many rows": Bomb(_ten_gigabytes, "limits: max_rows allows 20,000,000"),
    "ten gigabytes, any rows allowed": Bomb(_ten_gigabytes, "limits: max_decoded_bytes allows", _ANY_ROWS),
    "a million columns": Bomb(lambda path: path.write_bytes(flat(1_000_000)), "too many columns or too long names"),
    "a million columns, any footer allowed": Bomb(
        lambda path: path.write_bytes(flat(1_000_000)), "its footer lists more than", {"max_columns": 200_000}
    ),
    "a hundred thousand levels": Bomb(lambda path: path.write_bytes(nested(100_000)), "its footer lists more than"),
    "two thousand levels": Bomb(lambda path: path.write_bytes(nested(2_000)), "levels deep, 256 are allowed"),
    "names of 100,000 characters": Bomb(_long_names, "too many columns or too long names"),
    "a name of a megabyte": Bomb(_long_name, "a text of more than a megabyte", {"max_columns": 2_000}),
    "a text of a gigabyte": Bomb(
        lambda path: path.write_bytes(long_text(b"product_code", 1_000_000_000)), "limits: max_cell_bytes allows"
    ),
    "a CSV line of a gigabyte": Bomb(_gigabyte_line, "limits: max_decoded_bytes", suffix=".csv"),
    "a CSV line of a gigabyte, any file allowed": Bomb(
        _gigabyte_line, "limits: max_cell_bytes", {"max_decoded_bytes": 1 << 40}, suffix=".csv"
    ),
    "a CSV file of a million columns": Bomb(_many_cells, "limits: max_cell_bytes", suffix=".csv"),
    "a zip file": Bomb(_zip, "it is a zip file, not a CSV file", suffix=".csv"),
}

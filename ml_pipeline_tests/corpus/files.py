"""B1 to B4, B18, B20, B21, B26, B27, B32: what is wrong with a file before a row of it is read."""

import gzip
import hashlib
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline_tests.corpus.good_nights import order_rows, return_rows
from ml_pipeline_tests.corpus.workshop import HISTORY, TONIGHT, Case, Drop, touch

LAST = HISTORY[-1]


def _cut(drop: Drop) -> None:
    drop.returns.write_bytes(drop.returns.read_bytes()[:-30])


def _flip_page(drop: Drop) -> None:
    drop.edit_returns(lambda rows: rows, write_page_checksum=True, compression="NONE", use_dictionary=False)
    content = bytearray(drop.returns.read_bytes())
    content[200] ^= 4
    drop.returns.write_bytes(content)


def list_hashes(folder: Path) -> None:
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _flip_listed(drop: Drop) -> None:
    list_hashes(drop.orders.parent)
    drop.edit_text(lambda text: text.replace("34.5", "35.5", 1))


def _unlisted(drop: Drop) -> None:
    drop.orders.unlink()
    list_hashes(drop.orders.parent)
    drop.edit(lambda _: None)


def _listed_but_gone(drop: Drop) -> None:
    list_hashes(drop.orders.parent)
    (drop.orders.parent / f"{LAST}.csv").unlink()


def _no_list(drop: Drop) -> None:
    (drop.orders.parent / "SHA256SUMS").write_text("all is well\n", encoding="utf-8")


def _yesterday(drop: Drop) -> None:
    shutil.copyfile(drop.orders.with_name(f"{LAST}.csv"), drop.orders)


def _second_file(drop: Drop) -> None:
    drop.orders.with_name(f"{TONIGHT}_b.csv").write_bytes(drop.orders.read_bytes() + b"\n")


def _two_listed(drop: Drop) -> None:
    lines = drop.orders.read_text(encoding="utf-8").splitlines(keepends=True)
    drop.orders.write_text("".join(lines[:31]), encoding="utf-8")
    drop.orders.with_name(f"{TONIGHT}_b.csv").write_text("".join([lines[0], *lines[31:]]), encoding="utf-8")
    list_hashes(drop.orders.parent)


def _named(name: str) -> Callable[[Drop], None]:
    def spoil(drop: Drop) -> None:
        target = drop.orders.parent / name
        target.parent.mkdir(parents=True, exist_ok=True)
        drop.orders.rename(target)

    return spoil


def _link(drop: Drop) -> None:
    drop.orders.rename(drop.root / "aside.csv")
    drop.orders.symlink_to(drop.root / "aside.csv")


def _linked_folder(drop: Drop) -> None:
    outside = drop.root.parent / "outside"
    drop.orders.parent.rename(outside)
    drop.orders.parent.symlink_to(outside)


def _hard_link(drop: Drop) -> None:
    os.link(drop.orders, drop.root / "another_name.csv")


def _pipe(drop: Drop) -> None:
    drop.orders.unlink()
    os.mkfifo(drop.orders)


def _socket(drop: Drop) -> None:
    drop.orders.unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(drop.orders.parent)
        listener.bind(drop.orders.name)
        os.chdir(here)


def _folder(drop: Drop) -> None:
    drop.orders.unlink()
    drop.orders.mkdir()


def _many_rows(drop: Drop) -> None:
    row = return_rows(TONIGHT).slice(0, 1)
    same = pa.table([pa.repeat(row.column(name)[0], 1_000_000) for name in row.schema.names], schema=row.schema)
    pq.write_table(same, drop.returns, compression="ZSTD")


def _many_columns(drop: Drop) -> None:
    rows = return_rows(TONIGHT).slice(0, 1)
    more = pa.table({f"x{n}": [0] for n in range(2_000)})
    pq.write_table(
        pa.table([*rows.columns, *more.columns], names=[*rows.schema.names, *more.schema.names]), drop.returns
    )


def _some_columns(drop: Drop) -> None:
    for n in range(60):
        drop.edit_returns(lambda rows, n=n: rows.append_column(f"x{n}", pa.array([0] * rows.num_rows)))


def _long_text(drop: Drop) -> None:
    codes = pa.array(["x" * 2_000_000, *["NA"] * 59])
    drop.edit_returns(lambda rows: rows.set_column(2, "product_code", codes), compression="ZSTD")


def _repeated_text(drop: Drop) -> None:
    def grow(rows: pa.Table) -> pa.Table:
        row = rows.slice(0, 1).set_column(2, "product_code", pa.array(["x" * 4000]))
        return pa.table([pa.repeat(row.column(name)[0], 19_000) for name in row.schema.names], schema=row.schema)

    drop.edit_returns(grow)


def _wide_numbers(drop: Drop) -> None:
    def grow(rows: pa.Table) -> pa.Table:
        longer = pa.concat_tables([rows] * 300)
        for name in ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"):
            longer = longer.append_column(name, pa.array(range(longer.num_rows)).cast(pa.float64()))
        return longer

    drop.edit_returns(grow, use_dictionary=False, compression="ZSTD")


def _nested(drop: Drop) -> None:
    kind = pa.int64()
    for _ in range(60):
        kind = pa.list_(kind)
    drop.edit_returns(lambda rows: rows.set_column(4, "parts", pa.nulls(rows.num_rows, kind)))


def _encrypted(drop: Drop) -> None:
    content = drop.returns.read_bytes()
    drop.returns.write_bytes(b"PARE" + content[4:-4] + b"PARE")


def _unknown_codec(drop: Drop) -> None:
    # Field 4 of Thrift's ColumnMetaData: SNAPPY is 1, LZO, for which no reader was built, is 3.
    drop.returns.write_bytes(drop.returns.read_bytes().replace(b"parts\x15\x02\x16", b"parts\x15\x06\x16"))


def _extension(drop: Drop) -> None:
    drop.edit_returns(lambda rows: rows.set_column(4, "parts", pa.array([bytes(16)] * rows.num_rows, pa.uuid())))


def _growing(drop: Drop) -> None:
    touch(drop.orders, seconds_ago=5)


def _growing_but_listed(drop: Drop) -> None:
    list_hashes(drop.orders.parent)
    touch(drop.orders, seconds_ago=5)


def _settled(drop: Drop) -> None:
    touch(drop.orders, seconds_ago=120)


CASES = (
    Case("B1", "truncated Parquet", _cut, "REJECT", ("returns/2024-03-31.parquet", "footer missing at byte"), source="returns", decided_by=("_has_a_footer",)),
    Case("B2", "no bytes", lambda drop: drop.orders.write_bytes(b""), "REJECT", ("no bytes",), decided_by=("_is_not_empty",)),
    Case("B2", "text named .parquet", lambda drop: drop.returns.write_text("order_id,parts\n1,2\n"), "REJECT", ("it begins like text, not like a Parquet file",), source="returns", decided_by=("_has_the_bytes_of_its_kind",)),
    Case("B2", "gzip named .csv", lambda drop: drop.orders.write_bytes(gzip.compress(b"x")), "REJECT", ("it is a gzip file, not a CSV file",), decided_by=("_has_the_bytes_of_its_kind",)),
    Case("B3", "bit flipped in a page", _flip_page, "REJECT", ("The file is damaged", "CRC"), source="returns", decided_by=("page checksum",)),
    Case("B3", "other bytes than listed", _flip_listed, "REJECT", ("its sha256 is", "SHA256SUMS says"), decided_by=("_is_as_listed",)),
    Case("B3", "not in the list", _unlisted, "REJECT", ("does not list it",), decided_by=("_is_listed",)),
    Case("B3", "listed but not there", _listed_but_gone, "REJECT", ("listed in SHA256SUMS, but not there",), decided_by=("_require_listed_files",)),
    Case("B3", "a list that is none", _no_list, "REJECT", ("SHA256SUMS, line 1",)),
    Case("B4", "still growing", _growing, "REJECT", ("may still be growing", "run again"), decided_by=("_require_settled",), contract={"settle_seconds": 60}),
    Case("B4", "young, but listed", _growing_but_listed, "ACCEPT", account=(60, 0, 0), contract={"settle_seconds": 60}),
    Case("B4", "settled", _settled, "ACCEPT", account=(60, 0, 0), contract={"settle_seconds": 60}),
    Case("B18", "missing file", lambda drop: drop.orders.unlink(), "REJECT", ("1 of the wanted nights have no file, the first is 2024-03-31",), decided_by=("missing night",)),
    Case("B20", "yesterday's file under today's name", _yesterday, "REJECT", ("has the sha256 of orders/2024-03-30.csv of night 2024-03-30",), decided_by=("require_each_once",)),
    Case("B21", "two files of one night", _second_file, "REJECT", ("are all files of it",), decided_by=("require_one_a_night",)),
    Case("B21", "two files, both listed", _two_listed, "ACCEPT", account=(60, 0, 0)),
    *(
        Case("B26", f"named {name[:20]!r}", _named(name), "REJECT", ("rename it",), decided_by=("as_dropped",))
        for name in ("day=[ab].csv", "%2e%2e.csv", "*.csv", "2024-02-30.csv", "..2024-03-31.csv")
    ),
    *(
        Case("B26", f"named {name[:24]!r}", _named(name), "REJECT", ("its name holds",), decided_by=("_has_plain_name",))
        for name in ("2024-03-31 '; drop.csv", "2024-03-31" + "x" * 200 + ".csv", "2024-03-31\n.csv", "2024-03-31é.csv")
    ),
    Case("B27", "symbolic link", _link, "REJECT", ("not a plain file",), decided_by=("_is_plain_file",)),
    Case("B27", "folder behind a link", _linked_folder, "REJECT", ("not a plain file inside",), decided_by=("_is_inside",)),
    Case("B27", "hard link", _hard_link, "REJECT", ("2 names (hard links)",), decided_by=("_has_one_name",)),
    Case("B27", "pipe", _pipe, "REJECT", ("not a plain file",), decided_by=("_is_plain_file",)),
    Case("B27", "socket", _socket, "REJECT", ("not a plain file",), decided_by=("_is_plain_file",)),
    Case("B27", "folder named .csv", _folder, "REJECT", ("not a plain file",), decided_by=("_is_plain_file",)),
    Case("B32", "too many bytes", lambda drop: drop.edit(lambda _: order_rows(TONIGHT) * 700), "REJECT", ("max_file_bytes allows 4,000,000",), decided_by=("_is_not_too_large",)),
    Case("B32", "a million equal rows", _many_rows, "REJECT", ("1,000,000 rows, limits: max_rows allows 20,000",), source="returns", decided_by=("_has_few_rows",)),
    Case("B32", "two thousand columns", _many_columns, "REJECT", ("too many columns",), source="returns", decided_by=("_has_a_small_footer",)),
    Case("B32", "sixty columns more", _some_columns, "REJECT", ("67 columns, limits: max_columns allows 40",), source="returns", decided_by=("_has_few_columns",)),
    Case("B32", "long text", _long_text, "REJECT", ("a text of column product_code has 2,000,000 bytes",), source="returns", decided_by=("_require_small_texts",)),
    Case("B32", "repeated text", _repeated_text, "REJECT", ("column product_code has 76,000,000 bytes when decoded",), source="returns", decided_by=("_require_small_texts",)),
    Case("B32", "more in memory than on disk", _wide_numbers, "REJECT", ("bytes when decoded, limits: max_decoded_bytes",), source="returns", decided_by=("_is_small_in_memory",), contract={"limits": {"max_decoded_bytes": 500_000}}),
    Case("B32", "lists in lists", _nested, "REJECT", ("parts: list<", "expected int64"), source="returns", decided_by=("_other_types",)),
    Case("B32", "encrypted", _encrypted, "REJECT", ("an encrypted Parquet file",), source="returns", decided_by=("_has_the_bytes_of_its_kind",)),
    Case("B32", "a compression that is not read", _unknown_codec, "REJECT", ("cannot be read as returns", "LZO compression"), source="returns"),
    Case("B32", "extension type", _extension, "REJECT", ("parts: extension<arrow.uuid>, expected int64",), source="returns", decided_by=("_other_types",)),
    Case("B33", "written in the future", lambda drop: touch(drop.orders, seconds_ago=-172_800), "ACCEPT", account=(60, 0, 0), contract={"settle_seconds": 60}),
)  # fmt: skip

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.connectors.folder import FolderConnector
from ml_pipeline.nights import KnownWindow

KNOWN = datetime(2024, 3, 1, 12, tzinfo=UTC)
ALWAYS = KnownWindow(None, datetime(2100, 1, 1, tzinfo=UTC))
HEADER = "code,quantity,price,is_gift,day,known_at"
LINE = "00123,3,1.5,true,2024-03-01,2024-03-01 12:00:00Z"
TYPES = (("code", "string"), ("quantity", "integer"), ("price", "number"), ("is_gift", "boolean"), ("day", "date"))


def contract(files: str | None = "orders/*") -> SourceContract:
    columns = [{"name": name, "type": kind, "description": name, "nullable": True} for name, kind in TYPES]
    return SourceContract.model_validate(
        {
            "name": "orders", "description": "Orders.", "owner": "team:shop", "key": ["code"], "known_when": "at once",
            "files": files, "settle_seconds": 0, "columns": [*columns, {"name": "known_at", "type": "timestamp", "description": "Clock."}],
        }
    )  # fmt: skip


def deliver_csv(root: Path, *lines: str, header: str = HEADER, name: str = "day.csv") -> Path:
    path = root / "orders" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def deliver_parquet(root: Path, **changes: pa.Array) -> Path:
    good = pa.Table.from_pylist(
        [{"code": "00123", "quantity": 3, "price": 1.5, "is_gift": True, "day": date(2024, 3, 1), "known_at": KNOWN}],
        schema=contract().arrow_schema(),
    )
    for name, values in changes.items():
        known = name in good.schema.names
        good = (
            good.set_column(good.schema.get_field_index(name), name, values)
            if known
            else good.append_column(name, values)
        )
    path = root / "orders" / "day.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(good, path)
    return path


def read(root: Path, window: KnownWindow = ALWAYS) -> list[dict[str, Any]]:
    return FolderConnector(root).read(contract(), window).drop(["_fault", "_delivered_for"]).to_pylist()


def refused(root: Path) -> str:
    with pytest.raises(DeliveryError) as refusal:
        FolderConnector(root).read(contract(), ALWAYS)
    return str(refusal.value)


def test_csv_and_parquet_hold_the_same_row(tmp_path: Path) -> None:
    deliver_csv(tmp_path, LINE)
    deliver_parquet(tmp_path)
    first, second = read(tmp_path)
    assert first == second
    found = FolderConnector(tmp_path).read(contract(), ALWAYS).schema
    assert found.names == [*contract().arrow_schema().names, "_fault", "_delivered_for"]
    assert [found.field(name) for name in contract().arrow_schema().names] == list(contract().arrow_schema())


@pytest.mark.parametrize("code", ["00123", "NA", "null", "NaN", "None", "1e5", " a ", "true", "2024-03-01", "ü"])
def test_text_stays_what_it_was(tmp_path: Path, code: str) -> None:
    deliver_csv(tmp_path, LINE.replace("00123", code))
    assert read(tmp_path)[0]["code"] == code


def test_an_empty_cell_is_missing_and_quoted_emptiness_is_text(tmp_path: Path) -> None:
    deliver_csv(
        tmp_path,
        ",,,,,2024-03-01 12:00:00Z",
        '"",1,,,,2024-03-01 12:00:00Z',
        '"two\nlines, one cell",1,,,,2024-03-01 12:00:00Z',
    )
    assert [row["code"] for row in read(tmp_path)] == [None, "", "two\nlines, one cell"]
    assert read(tmp_path)[0]["quantity"] is None


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    deliver_csv(
        tmp_path, "2024-03-01 12:00:00Z,00123,2024-03-01,true,1.5,3", header="known_at,code,day,is_gift,price,quantity"
    )
    assert read(tmp_path)[0]["quantity"] == 3


def test_whole_numbers_beyond_two_to_the_53_stay_exact(tmp_path: Path) -> None:
    deliver_csv(tmp_path, LINE.replace(",3,", f",{2**53 + 1},"), ",,,,,2024-03-01 12:00:00Z")
    assert read(tmp_path)[0]["quantity"] == 2**53 + 1


@pytest.mark.parametrize(
    "line",
    [
        LINE + ",extra cell",
        "00123,3,1.5",
        LINE.replace(",3,", ",9.99,"),
        LINE.replace(",3,", ",three,"),
        LINE.replace(",3,", ",9223372036854775808,"),
        LINE.replace("1.5", "1,5"),
        LINE.replace("true", "perhaps"),
        LINE.replace("2024-03-01,", "2024-02-30,"),
        LINE.replace("2024-03-01,", "01.03.2024,"),
        LINE.replace("12:00:00Z", "12:00:00"),
        LINE.replace("12:00:00Z", "noon"),
    ],
)
def test_a_csv_row_of_another_shape_or_type_is_refused(tmp_path: Path, line: str) -> None:
    path = deliver_csv(tmp_path, LINE, line)
    message = refused(tmp_path)
    assert str(path) in message and "Correct the file" in message


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = deliver_csv(tmp_path, LINE)
    path.write_bytes(path.read_bytes().replace(b"00123", b"\xff\xfe"))
    assert str(path) in refused(tmp_path)


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        (HEADER.replace(",price", ""), LINE.replace(",1.5", ""), r"missing columns ['price']"),
        (HEADER + ",colour", LINE + ",red", "columns that the contract does not know: colour"),
        (HEADER.replace("code", "Code"), LINE, r"missing columns ['code'], unknown columns ['Code']"),
        (HEADER + ",price", LINE + ",1.5", "price"),
    ],
)
def test_a_csv_of_other_columns_is_refused(tmp_path: Path, header: str, line: str, message: str) -> None:
    path = deliver_csv(tmp_path, line, header=header)
    assert path.name in refused(tmp_path) and message in refused(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": pa.array([9.99])}, "quantity: double, expected int64"),
        ({"quantity": pa.array([3], pa.int32())}, "quantity: int32, expected int64"),
        ({"code": pa.array([123])}, "code: int64, expected string"),
        ({"price": pa.array(["1.5"])}, "price: string, expected double"),
        ({"known_at": pa.array([KNOWN.replace(tzinfo=None)])}, "known_at: timestamp[us], expected"),
        ({"known_at": pa.array([KNOWN], pa.timestamp("us", tz="Europe/Berlin"))}, "tz=Europe/Berlin], expected"),
        ({"known_at": pa.array([KNOWN], pa.timestamp("ns", tz="UTC"))}, "timestamp[ns, tz=UTC], expected timestamp[us"),
    ],
)
def test_parquet_of_other_columns_or_types_is_refused(
    tmp_path: Path, changes: dict[str, pa.Array], message: str
) -> None:
    path = deliver_parquet(tmp_path, **changes)
    assert str(path) in refused(tmp_path) and message in refused(tmp_path)


@pytest.mark.parametrize("codes", [pa.array(["00123"], pa.large_string()), pa.array(["00123"]).dictionary_encode()])
def test_the_layouts_of_text_are_one_type(tmp_path: Path, codes: pa.Array) -> None:
    deliver_parquet(tmp_path, code=codes)
    assert (read(tmp_path)[0]["code"], read(tmp_path)[0]["known_at"]) == ("00123", KNOWN)


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = deliver_parquet(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    assert str(path) in refused(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = deliver_csv(tmp_path)
    path.write_bytes(b"")
    assert str(path) in refused(tmp_path)


def test_a_delivery_without_files_is_refused(tmp_path: Path) -> None:
    assert "source orders: no file matches orders/* below" in refused(tmp_path)
    with pytest.raises(DeliveryError, match="source orders names no files"):
        FolderConnector(tmp_path).read(contract(files=None), ALWAYS)


@pytest.mark.parametrize("link", ["file", "folder"])
def test_links_out_of_the_folder_are_refused(tmp_path: Path, link: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "deliveries"
    outside.mkdir()
    root.mkdir()
    target = deliver_csv(outside, LINE)
    if link == "file":
        (root / "orders").mkdir()
        (root / "orders" / "day.csv").symlink_to(target)
    else:
        (root / "orders").symlink_to(target.parent)
    assert "not a plain file" in refused(root)


@pytest.mark.parametrize("files", ["../outside/orders/*.csv", "orders/../../outside/orders/*.csv", "/etc/*"])
def test_a_pattern_out_of_the_folder_is_refused(tmp_path: Path, files: str) -> None:
    (tmp_path / "outside").mkdir()
    deliver_csv(tmp_path / "outside", LINE)
    (tmp_path / "deliveries").mkdir()
    deliver_csv(tmp_path / "deliveries", LINE)
    with pytest.raises(DeliveryError, match="orders"):
        FolderConnector(tmp_path / "deliveries").read(contract(files=files), ALWAYS)


def test_a_window_is_half_open(tmp_path: Path) -> None:
    for number in range(3):
        deliver_csv(tmp_path, LINE.replace("12:00:00Z", f"12:00:0{number}Z"), name=f"{number}.csv")
    found = read(tmp_path, KnownWindow(KNOWN, KNOWN + timedelta(seconds=1)))
    assert [row["known_at"] for row in found] == [KNOWN + timedelta(seconds=1)]


def test_the_fingerprint_follows_content_and_name_of_the_files(tmp_path: Path) -> None:
    path = deliver_csv(tmp_path, LINE)
    prints = {FolderConnector(tmp_path).fingerprint(contract())}
    deliver_csv(tmp_path, LINE, LINE)
    prints.add(FolderConnector(tmp_path).fingerprint(contract()))
    path.rename(path.with_name("other.csv"))
    prints.add(FolderConnector(tmp_path).fingerprint(contract()))
    assert len(prints) == 3

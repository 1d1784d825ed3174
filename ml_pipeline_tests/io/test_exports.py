import csv
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.io.catalog import View, files_select, write_catalog
from ml_pipeline.io.exports import ExportRefusedError, export
from ml_pipeline_tests.io.test_spreadsheet_cells import PAYLOADS

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog over one published file that holds every payload."""
    root = tmp_path_factory.mktemp("catalog")
    path = root / "score_date=2024-05-05" / "part.parquet"
    path.parent.mkdir()
    rows = pa.table({"name": PAYLOADS, "amount": [-1.5 * place for place in range(len(PAYLOADS))]})
    pq.write_table(rows, path)
    schema = pa.schema([("score_date", pa.date32()), ("name", pa.string()), ("amount", pa.float64())])
    write_catalog(root, [View("scores", files_select([path], schema), "Scores.")])
    return root / "warehouse.duckdb"


def cells_of(path: Path) -> list[list[tuple[str | None, str]]]:
    """(type, text) of every cell of a workbook, as its XML says it."""
    with zipfile.ZipFile(path) as book:
        assert "formula" not in book.read("xl/worksheets/sheet1.xml").decode() and "<f>" not in str(
            book.read("xl/worksheets/sheet1.xml")
        )
        root = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
        assert not [name for name in book.namelist() if "external" in name.lower() or "rels/sheet" in name]
    return [
        [(found.get("t"), "".join(found.itertext())) for found in row.iter(f"{SHEET}c")]
        for row in root.iter(f"{SHEET}row")
    ]


def test_every_payload_is_inert_in_csv_and_numbers_stay_numbers(warehouse: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in warehouse.parent.rglob("*.parquet")}
    assert export(warehouse, "scores", tmp_path / "out.csv") == len(PAYLOADS)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["name"] for row in rows) == sorted(f"'{payload}" for payload in PAYLOADS)
    assert all(float(row["amount"]) <= 0 and not row["amount"].startswith("'") for row in rows)
    assert {row["score_date"] for row in rows} == {"2024-05-05"}
    violations = sum(row["name"][0] in "=+-@\t\r\n" for row in rows)
    print(f"{len(rows)} trials / {violations} violations")
    assert before == {path: path.read_bytes() for path in before}, "the published Parquet is left as it is"


def test_every_payload_is_inert_in_xlsx_and_numbers_stay_numbers(warehouse: Path, tmp_path: Path) -> None:
    export(warehouse, "select name, amount, score_date, amount > 0 as flag from scores", tmp_path / "out.xlsx")
    header, *rows = cells_of(tmp_path / "out.xlsx")
    assert [text for _, text in header] == ["name", "amount", "score_date", "flag"]
    kinds = {tuple(kind for kind, _ in row) for row in rows}
    assert kinds == {("inlineStr", None, None, "b")}
    assert all(row[0][1].startswith("'") for row in rows)
    assert [float(row[1][1]) for row in rows] == [-1.5 * place for place in range(len(PAYLOADS))]
    assert {row[2][1] for row in rows} == {"45417"}, "days since 1900, as sheets count them"


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_equal_answers_are_equal_files(warehouse: Path, tmp_path: Path, suffix: str) -> None:
    for name in ("one", "two"):
        export(warehouse, "select * from scores order by amount", tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()


def test_the_name_of_a_column_is_a_cell_too(warehouse: Path, tmp_path: Path) -> None:
    export(warehouse, 'select 1 as "=1+1"', tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == '"\'=1+1"\n1\n'


@pytest.mark.parametrize("text", ["a;=1+1", 'a",=1+1', "a\n=1+1", "a\t=1+1"])
def test_a_text_stays_one_field(warehouse: Path, tmp_path: Path, text: str) -> None:
    escaped = text.replace("'", "''")
    export(warehouse, f"select '{escaped}' as a, 2 as b", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], [text, "2"]]
    assert f'"{text.replace(chr(34), chr(34) * 2)}"' in (tmp_path / "out.csv").read_text()


@pytest.mark.parametrize(
    ("asked", "name", "message"),
    [
        ("scores", "out.parquet", r"exports are \.csv or \.xlsx"),
        ("select * from scores", "out.csv", "more than 10 rows"),
        ("select 1; select 2", "out.csv", "one select"),
        ("copy scores to 'elsewhere.csv'", "out.csv", "one select"),
        ("select repeat('x', 40000) as long", "out.xlsx", "a text of 40,000 letters"),
        (f"select {', '.join(f'1 as c{n}' for n in range(16385))}", "out.xlsx", "16,385 columns"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_whole_is_refused_and_leaves_nothing(
    warehouse: Path, tmp_path: Path, asked: str, name: str, message: str
) -> None:
    (tmp_path / name).write_text("as before")
    with pytest.raises(ExportRefusedError, match=message):
        export(warehouse, asked, tmp_path / name, most_rows=10)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "as before"


@pytest.mark.parametrize(
    "asked", ["select * from read_text('{}')", "select * from read_csv('https://example.test/a.csv')"]
)
def test_a_select_reads_what_the_views_are_made_of_and_nothing_else(
    warehouse: Path, tmp_path: Path, asked: str
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(duckdb.Error, match="disabled by configuration|httpfs"):
        export(warehouse, asked.format(tmp_path / "secret.txt"), tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_query_that_is_wrong_says_so(warehouse: Path, tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error, match="nothing"):
        export(warehouse, "select * from nothing", tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []

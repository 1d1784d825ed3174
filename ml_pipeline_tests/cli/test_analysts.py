import csv
from pathlib import Path

from ml_pipeline.operations.site import Site
from ml_pipeline_tests.cli.test_main import invoke


def test_a_view_and_an_answer_are_exported(scored_shop: Site, tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    result = invoke(scored_shop, "export", "scores", "--to", str(target))
    assert (result.exit_code, result.output) == (0, f"{target}: 320 rows\n")
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    published = scored_shop.tables.read("scores", list(scored_shop.tables.published("scores")))
    expected = dict(zip(published["order_id"].to_pylist(), published["probability"].to_pylist(), strict=True))
    assert {row["order_id"]: float(row["probability"]) for row in rows} == expected
    sheet = tmp_path / "one.xlsx"
    result = invoke(scored_shop, "export", "select 1 as one", "--to", str(sheet))
    assert (result.exit_code, sheet.read_bytes()[:2]) == (0, b"PK")


def test_what_cannot_be_exported_says_why(scored_shop: Site, shop_site: Site, tmp_path: Path) -> None:
    for site, asked, name, words in (
        (scored_shop, "scores", "scores.pdf", ".csv or .xlsx"),
        (scored_shop, "select * from nothing", "a.csv", "nothing"),
        (scored_shop, "scores", "missing/a.csv", "No such file"),
        (shop_site, "scores", "a.csv", "is not there yet"),
    ):
        result = invoke(site, "export", asked, "--to", str(tmp_path / name))
        assert result.exit_code == 1
        assert words in result.output
        assert "Traceback" not in result.output
    refused = invoke(scored_shop, "export", "scores", "--to", str(tmp_path / "a.csv"), "--max-rows", "10")
    assert "more than 10 rows" in refused.output
    assert list(tmp_path.glob("*.csv")) == []

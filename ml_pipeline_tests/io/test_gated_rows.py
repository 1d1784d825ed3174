from dataclasses import replace
from datetime import date

import pandas as pd

from ml_pipeline.io.gated_rows import VisibleRows, visible_rows
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.site import Site

NIGHT = date(2024, 4, 20)


def landed(site: Site, until: date = NIGHT, nights: int = 28) -> pd.DataFrame:
    """Returns as ``until`` knew them, by plain pandas: landed in the lookback, of each order the newest version."""
    rows = site.tables.read("raw/returns", list(site.tables.published("raw/returns"))).to_pandas()
    rows = rows[rows["score_date"] <= until].sort_values(["score_date", "known_at"])
    rows = rows.drop_duplicates("order_id", keep="last")
    return rows[rows["score_date"] > until - pd.Timedelta(days=nights)]


def test_rows_are_those_that_the_night_may_know_and_the_newest_come_first(landed_shop: Site) -> None:
    expected = landed(landed_shop)
    product = expected["product_code"].iloc[0]
    matching = expected[expected["product_code"] == product]
    found = visible_rows(
        landed_shop.runner(), "returns", 28, NIGHT, wanted={"product_code": product, "channel": "web"}, most=4
    )
    assert (found.rows, found.matching_rows, found.matched_by) == (len(expected), len(matching), ("product_code",))
    newest = matching.sort_values(["score_date", "known_at", "order_id"], ascending=[False, False, True])["order_id"]
    assert [row["order_id"] for row in found.newest] == list(newest[:4])
    assert len(matching) > 4
    assert found.version == landed_shop.tables.version("raw/returns")


def test_an_earlier_night_sees_fewer_rows_and_a_reference_is_read_whole(landed_shop: Site) -> None:
    runner = landed_shop.runner()
    for night in nights_between(date(2024, 4, 10), date(2024, 4, 12)):
        found = visible_rows(runner, "returns", 7, night, wanted={}, most=0)
        assert (found.rows, found.newest) == (len(landed(landed_shop, night, 7)), ())
    products = visible_rows(runner, "products", None, NIGHT, wanted={}, most=1)
    assert products.rows == products.matching_rows > 1


def test_what_is_personal_is_not_shown(landed_shop: Site) -> None:
    sources = landed_shop.sql.sources
    columns = tuple(
        column.model_copy(update={"pii": column.name == "order_id"}) for column in sources["returns"].columns
    )
    sql = replace(
        landed_shop.sql, sources={**sources, "returns": sources["returns"].model_copy(update={"columns": columns})}
    )
    found = visible_rows(landed_shop.runner(sql), "returns", 7, NIGHT, wanted={}, most=2)
    assert {row["order_id"] for row in found.newest} == {"(personal data)"}
    assert all(row["product_code"] != "(personal data)" for row in found.newest)


def test_the_versions_of_the_runner_are_read(landed_shop: Site) -> None:
    runner: GatedRunner = landed_shop.runner(versions={"raw/returns": 0})
    found: VisibleRows = visible_rows(runner, "returns", 28, NIGHT, wanted={}, most=1)
    assert (found.version, found.rows) == (0, 0)

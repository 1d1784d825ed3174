from datetime import date

import pytest

from ml_pipeline.operations.rows_behind import RowsBehind
from ml_pipeline.operations.site import Site, features_table

NIGHT = date(2024, 4, 20)


@pytest.fixture(scope="module")
def rows(built_shop: Site) -> list[dict[str, object]]:
    return list(built_shop.tables.read(features_table(built_shop.sql), [NIGHT]).to_pylist())


def test_the_rows_behind_a_rate_are_those_that_it_counts(built_shop: Site, rows: list[dict[str, object]]) -> None:
    for row in rows[:5]:
        behind = RowsBehind(built_shop.runner(), NIGHT, {"order_id": row["order_id"]}, most_rows=2)
        products, returns = behind.of("product_rates", "product_order_count_28d")
        assert (products.source, returns.source) == ("products", "returns")
        assert returns.matched_by == ("product_code",)
        assert returns.matching_rows == (row["product_order_count_28d"] or 0)
        assert all(found["product_code"] == row["product_code"] for found in returns.newest)


def test_of_its_own_source_only_the_row_itself_is_pointed_at(built_shop: Site, rows: list[dict[str, object]]) -> None:
    row = rows[0]
    (orders,) = RowsBehind(built_shop.runner(), NIGHT, {"order_id": row["order_id"]}, most_rows=2).of(
        "planned_order", "quantity"
    )
    assert (orders.source, orders.matching_rows, orders.lookback_days) == ("orders", 1, 3)
    assert orders.newest[0]["order_id"] == row["order_id"]
    assert orders.newest[0]["quantity"] == row["quantity"]
    assert orders.rows > 1

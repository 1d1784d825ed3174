import csv
import dataclasses
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.land import LandingBlockedError, land
from ml_pipeline.operations.site import Site

FIRST, NIGHT = date(2024, 2, 15), date(2024, 2, 28)
# The orders with no pieces are in the nights of 27 February and 5 April.
BROKEN_NIGHT = date(2024, 2, 27)
NIGHTS = nights_between(date(2024, 2, 25), date(2024, 3, 1))
ORDERS = "orders/2024-02.csv"
RETURNS = "returns/2024-02.parquet"


def edit_orders(site: Site, change: Callable[[dict[str, str]], dict[str, str]], name: str = ORDERS) -> None:
    """Rewrite each order of a delivered file."""
    path = site.sql.folder / "deliveries" / name
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [change(row) for row in csv.DictReader(handle)]
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def version(site: Site, source: str) -> tuple[int, int]:
    return site.tables.version(f"raw/{source}"), site.tables.version(f"quarantine/{source}")


def hashes(site: Site, table: str) -> dict[Night, str]:
    return {night: published.content_hash for night, published in site.tables.published(table).items()}


@pytest.mark.parametrize("source", ["orders", "returns", "products"])
def test_every_row_of_the_delivery_is_accounted_for(landed_shop: Site, source: str) -> None:
    contract, calendar = landed_shop.sql.sources[source], landed_shop.calendar
    delivered = landed_shop.connector.read(contract, calendar.known_window(calendar.first_night, date(2024, 5, 28)))
    facts = [night.facts for night in landed_shop.tables.published(f"raw/{source}").values()]
    assert sum(fact["read"] for fact in facts) == delivered.num_rows
    assert all(fact["read"] == fact["landed"] + fact["quarantined"] + fact["deduplicated"] for fact in facts)


@pytest.mark.parametrize("source", ["orders", "returns", "products"])
def test_each_row_lands_in_the_night_whose_window_it_became_known_in(landed_shop: Site, source: str) -> None:
    landed = landed_shop.tables.read(f"raw/{source}", nights_between(FIRST, date(2024, 5, 28)))
    assert landed.num_rows > 0
    for night, known_at in zip(landed["score_date"].to_pylist(), landed["known_at"].to_pylist(), strict=True):
        window = landed_shop.calendar.known_window(night, night)
        assert (window.after is None or window.after < known_at) and known_at <= window.until


def test_a_broken_row_goes_to_quarantine_with_its_rule_and_content(landed_shop: Site) -> None:
    rows = landed_shop.tables.read("quarantine/orders", nights_between(FIRST, date(2024, 5, 28))).to_pylist()
    assert {(row["column"], row["value"]) for row in rows} == {("quantity", "0")}
    assert '"order_id": "O000500"' in rows[0]["content"]
    landed = landed_shop.tables.read("raw/orders", nights_between(FIRST, date(2024, 5, 28)))
    assert "O000500" not in landed["order_id"].to_pylist()


@pytest.mark.parametrize("table", ["raw/orders", "raw/returns", "quarantine/orders"])
def test_nights_landed_one_by_one_equal_a_range(shop_site: Site, landed_shop: Site, table: str) -> None:
    for night in NIGHTS:
        land(shop_site, table.split("/")[1], [night])
    expected = hashes(landed_shop, table)
    assert hashes(shop_site, table) == {night: expected[night] for night in NIGHTS}


def test_nights_with_holes_between_them_land_alone(shop_site: Site, landed_shop: Site) -> None:
    result = land(shop_site, "orders", [NIGHTS[3], NIGHTS[0]])
    expected = hashes(landed_shop, "raw/orders")
    assert hashes(shop_site, "raw/orders") == {night: expected[night] for night in (NIGHTS[0], NIGHTS[3])}
    assert set(result.accounts) == {NIGHTS[0], NIGHTS[3]}


def test_landing_the_same_delivery_again_makes_no_commit(shop_site: Site) -> None:
    land(shop_site, "orders", NIGHTS)
    before = version(shop_site, "orders")
    again = land(shop_site, "orders", NIGHTS)
    assert version(shop_site, "orders") == before
    assert (again.published, again.unchanged, again.accounts) == (None, NIGHTS, {})


def test_a_night_without_rows_is_landed_as_empty(shop_site: Site) -> None:
    land(shop_site, "products", [FIRST, NIGHT])
    published = shop_site.tables.published("raw/products")
    assert (published[FIRST].rows, published[NIGHT].rows) == (10, 0)


def test_a_later_delivery_leaves_landed_nights_alone(shop_site: Site) -> None:
    land(shop_site, "returns", NIGHTS)
    before = version(shop_site, "returns")
    folder = shop_site.sql.folder / "deliveries" / "returns"
    later = pq.read_table(folder / "2024-05.parquet").slice(0, 5)
    later = later.set_column(0, "order_id", pa.array([f"O9{n:05d}" for n in range(5)]))
    pq.write_table(later, folder / "late.parquet")
    result = land(shop_site, "returns", NIGHTS)
    assert version(shop_site, "returns") == before
    assert result.published is not None and result.published.changed == ()


def test_a_missing_number_written_as_nan_is_the_same_row_when_it_is_delivered_again(shop_site: Site) -> None:
    path = shop_site.sql.folder / "deliveries" / RETURNS
    rows = pq.read_table(path)
    refunds = pc.fill_null(rows["refund_eur"], float("nan"))
    pq.write_table(rows.set_column(rows.schema.get_field_index("refund_eur"), "refund_eur", refunds), path)
    land(shop_site, "returns", NIGHTS)
    pq.write_table(pq.read_table(path.with_name("2024-05.parquet")).slice(0, 1), path.with_name("late.parquet"))
    assert land(shop_site, "returns", NIGHTS).published.changed == ()  # type: ignore[union-attr]


@pytest.mark.parametrize("quantity", ["0", "51"])
def test_too_many_broken_rows_block_the_night_and_land_nothing(shop_site: Site, quantity: str) -> None:
    edit_orders(shop_site, lambda row: row | {"quantity": quantity} if row["dispatch_date"] == str(NIGHT) else row)
    with pytest.raises(LandingBlockedError) as refusal:
        land(shop_site, "orders", NIGHTS)
    assert version(shop_site, "orders") == (-1, -1)
    message = str(refusal.value)
    for words in ("source orders", f"night {NIGHT}", "rows break the contract", "quantity:", "allowed share 5.00%",
                  "Nothing was landed", "sources.yml"):  # fmt: skip
        assert words in message


def test_the_message_names_the_rules_of_the_blocked_night_alone(shop_site: Site) -> None:
    edit_orders(shop_site, lambda row: row | {"channel": "fax"} if row["dispatch_date"] == str(NIGHT) else row)
    with pytest.raises(LandingBlockedError, match="channel") as refusal:
        land(shop_site, "orders", [BROKEN_NIGHT, NIGHT])
    assert "quantity" not in str(refusal.value)


def test_a_row_without_its_clock_blocks_the_delivery(shop_site: Site) -> None:
    edit_orders(shop_site, lambda row: row | {"known_at": ""} if row["order_id"] == "O000501" else row)
    with pytest.raises(LandingBlockedError, match="source orders: 1 rows have no known_at"):
        land(shop_site, "orders", NIGHTS)


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_a_landed_night_that_would_change_is_refused_and_stays(shop_site: Site, change: str) -> None:
    land(shop_site, "orders", NIGHTS)
    before, rows = version(shop_site, "orders"), shop_site.tables.read("raw/orders", NIGHTS)
    renamed = {
        "edited": {"coupon": "FORGED"},
        "added": {"order_id": "O999999"},
        "removed": {"known_at": "2024-05-01 00:00Z"},
    }
    edit_orders(shop_site, lambda row: row | renamed[change] if row["order_id"] == "O000521" else row)
    with pytest.raises(LandingBlockedError, match="source orders: nights .* were landed before") as refusal:
        land(shop_site, "orders", NIGHTS)
    assert "may_restate" in str(refusal.value)
    assert version(shop_site, "orders") == before
    assert shop_site.tables.read("raw/orders", NIGHTS).equals(rows)


def test_a_wrong_past_can_be_restated_on_purpose(shop_site: Site) -> None:
    land(shop_site, "orders", NIGHTS)
    edit_orders(shop_site, lambda row: row | {"coupon": "FIXED"} if row["order_id"] == "O000521" else row)
    result = land(shop_site, "orders", NIGHTS, may_restate=True)
    assert result.published is not None and result.published.changed == (NIGHT,)


def test_a_changed_contract_is_a_reason_to_look_again(shop_site: Site) -> None:
    land(shop_site, "orders", NIGHTS)
    contract = shop_site.sql.sources["orders"]
    sources = shop_site.sql.sources | {"orders": contract.model_copy(update={"max_quarantined_share": 0.5})}
    changed = dataclasses.replace(shop_site, sql=dataclasses.replace(shop_site.sql, sources=sources))
    assert set(land(changed, "orders", NIGHTS).accounts) == set(NIGHTS)


def test_nights_outside_the_project_are_refused(shop_site: Site) -> None:
    with pytest.raises(ValueError, match="night 2024-02-14 is outside"):
        land(shop_site, "orders", [date(2024, 2, 14)])


def test_a_delivery_that_cannot_be_read_lands_nothing(shop_site: Site) -> None:
    path: Path = shop_site.sql.folder / "deliveries" / ORDERS
    path.write_text(path.read_text(encoding="utf-8") + "O000999,half a row\n", encoding="utf-8")
    with pytest.raises(DeliveryError, match="2024-02.csv"):
        land(shop_site, "orders", NIGHTS)
    assert version(shop_site, "orders") == (-1, -1)

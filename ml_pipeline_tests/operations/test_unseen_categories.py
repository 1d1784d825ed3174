"""An order of a product that the model never saw: landed as it is, scored as the level of the unseen, counted and told."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ml_pipeline.domain.feature_matrix import OTHER
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.io.table_store import PublishedNight
from ml_pipeline.nights import nights_back
from ml_pipeline.operations.explain_score import explain_score
from ml_pipeline.operations.land import land
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.unseen_categories import category_columns, table_versions, unseen_counts
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL
from ml_pipeline_tests.shop_deliveries import deliver_later

NIGHT = nights_back(SHOP_LANDED_UNTIL, -1)
_PLACED = datetime(2024, 5, 28, 9, tzinfo=UTC)
NEW, COUNT = "10777", 3


def order(number: int, product: str) -> dict[str, object]:
    placed = _PLACED + timedelta(minutes=number)
    return {
        "order_id": f"O{700_000 + number}", "placed_at": placed, "dispatch_date": NIGHT, "product_code": product,
        "channel": ("web", "app")[number % 2], "quantity": 1 + number % 5, "price_eur": 10.0 + number, "coupon": None,
        "known_at": placed + timedelta(minutes=5),
    }  # fmt: skip


def landed_with(site: Site, products: list[str]) -> Site:
    deliver_later(site.sql.folder, "orders", [order(number, product) for number, product in enumerate(products)])
    for source in site.sql.sources:
        land(site, source, [NIGHT])
    return site


def published(site: Site) -> PublishedNight:
    return site.tables.published(SCORES, [NIGHT])[NIGHT]


def test_an_unseen_category_is_scored_counted_and_told(scored_shop_copy: Site) -> None:
    site = landed_with(scored_shop_copy, [NEW if number < COUNT else "NA" for number in range(40)])
    landed = site.tables.read("raw/orders", [NIGHT])["product_code"].to_pylist()
    assert {product: landed.count(product) for product in set(landed)} == {NEW: COUNT, "NA": 40 - COUNT}
    score(site, [NIGHT])
    # The shop's catalogue has no such product, so its shelf is missing, not unseen.
    assert unseen_counts(published(site).facts) == {"product_code": COUNT}
    assert table_versions(published(site).facts) == {
        features_table(site.sql): site.tables.version(features_table(site.sql))
    }
    told = site.tables.read(SCORES, [NIGHT]).to_pylist()
    words = [text for row in told for text in (row["reason_1"], row["reason_2"], row["reason_3"]) if OTHER in text]
    assert words
    assert all(text.endswith(f"Product, order = {OTHER} (landed value '{NEW}')") for text in words)
    explained = explain_score(site, NIGHT, {"order_id": "O700000"})
    assert explained.is_exact
    assert set(explained.versions) >= {SCORES, "raw/orders"}
    assert not [name for name in explained.versions if "unseen" in name]
    shown = {feature.name: feature.value for feature in explained.features}
    assert (shown["product_code"], shown["category"]) == (f"{OTHER} (landed value '{NEW}')", None)
    answer = invoke(site, "explain", "--key", "order_id=O700000", "--night", str(NIGHT), "--features", "12")
    assert f"product_code = {OTHER} (landed value '{NEW}')" in answer.output
    again = score(site, [NIGHT])
    assert again.published.changed == ()
    assert unseen_counts(published(site).facts) == {"product_code": COUNT}


def test_a_night_of_known_categories_counts_none(scored_shop: Site) -> None:
    bundle = read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    assert category_columns(bundle) == ["product_code", "category", "channel"]
    assert unseen_counts(scored_shop.tables.published(SCORES)[date(2024, 5, 7)].facts) == {}


@pytest.mark.parametrize("facts", [{}, {"features/abc": 4}, {"unseen:channel": 2, "features/abc": 4}])
def test_facts_are_parted_into_versions_and_counts(facts: dict[str, int]) -> None:
    assert len(table_versions(facts)) + len(unseen_counts(facts)) == len(facts)

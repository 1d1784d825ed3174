from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.counterfactual import altered_landing, altered_window, longest_lookback, shuffle_rows
from ml_pipeline.operations.site import Site

NIGHT = date(2024, 4, 18)


def unaltered(_: SourceContract, rows: pa.Table) -> pa.Table:
    return rows


def without_orders_of_one_product(contract: SourceContract, rows: pa.Table) -> pa.Table:
    return rows.filter(pc.not_equal(rows["product_code"], "00123")) if contract.name == "orders" else rows


def features(site: Site, tables: TableStore) -> pa.Table:
    return GatedRunner(site.sql, tables, site.calendar, threads=2).build_features(NIGHT, NIGHT)


@pytest.mark.parametrize("made", [altered_landing, altered_window])
def test_rows_as_they_are_give_the_night_as_it_is(landed_shop: Site, made: type) -> None:
    first = NIGHT if made is altered_window else nights_back(NIGHT, 27)
    with made(landed_shop, first, NIGHT, unaltered) as tables:
        assert content_hash(features(landed_shop, tables)) == content_hash(features(landed_shop, landed_shop.tables))


def test_other_rows_give_another_night_and_leave_the_real_tables_alone(landed_shop: Site) -> None:
    versions = {source: landed_shop.tables.version(f"raw/{source}") for source in landed_shop.sql.sources}
    with altered_window(landed_shop, NIGHT, NIGHT, without_orders_of_one_product) as tables:
        altered = features(landed_shop, tables)
        folder = tables.root
    assert "00123" not in altered["product_code"].to_pylist()
    assert "00123" in features(landed_shop, landed_shop.tables)["product_code"].to_pylist()
    assert {source: landed_shop.tables.version(f"raw/{source}") for source in landed_shop.sql.sources} == versions
    assert not folder.exists()


def test_a_window_holds_no_more_than_a_range_opens(landed_shop: Site) -> None:
    with altered_window(landed_shop, NIGHT, NIGHT, unaltered) as tables:
        nights = {source: set(tables.published(f"raw/{source}")) for source in landed_shop.sql.sources}
    assert nights["orders"] == set(nights_between(nights_back(NIGHT, 2), NIGHT))
    assert nights["returns"] == set(nights_between(nights_back(NIGHT, 27), NIGHT))
    assert nights["products"] == {landed_shop.calendar.first_night}


def test_a_landing_holds_every_source_from_its_first_night_and_references_from_the_beginning(landed_shop: Site) -> None:
    with altered_landing(landed_shop, NIGHT, NIGHT, unaltered) as tables:
        nights = {source: list(tables.published(f"raw/{source}")) for source in landed_shop.sql.sources}
    assert nights == {"orders": [NIGHT], "returns": [NIGHT], "products": [landed_shop.calendar.first_night]}


def test_shuffled_files_hold_the_same_rows_in_another_order(landed_shop: Site) -> None:
    def rows_of(path: Path) -> pa.Table:
        return pq.read_table(path, partitioning=None)

    with altered_window(landed_shop, NIGHT, NIGHT, unaltered) as tables:
        files = tables.files("raw/orders")
        before = {path: rows_of(path) for path in files}
        shuffle_rows(tables, [*landed_shop.sql.sources], seed=1)
        after = {path: rows_of(path) for path in tables.files("raw/orders")}
    assert len(files) == 3
    assert all(before[path].column("order_id") != after[path].column("order_id") for path in files)
    assert all(before[path].sort_by("order_id").equals(after[path].sort_by("order_id")) for path in files)


def test_the_longest_lookback_is_that_of_the_feature_models(landed_shop: Site) -> None:
    assert longest_lookback(landed_shop) == 28

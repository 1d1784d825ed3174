from datetime import date

import pytest

from ml_pipeline.io.connectors.folder import FolderConnector
from ml_pipeline.operations.site import Site, features_table, require_landed


def test_a_site_keeps_everything_below_its_data_root(shop_site: Site) -> None:
    for path in (shop_site.models, shop_site.reports, shop_site.ledger("promotions").folder, shop_site.lock_file("x")):
        assert path.is_relative_to(shop_site.data)
    assert isinstance(shop_site.connector, FolderConnector)
    assert features_table(shop_site.sql) == f"features/{shop_site.sql.feature_set_version}"


def test_a_runner_tests_what_it_builds_and_reads_the_versions_it_is_told(shop_site: Site) -> None:
    runner = shop_site.runner(versions={"raw/orders": 3})
    assert runner.is_tested and runner.versions == {"raw/orders": 3} and runner.threads == shop_site.threads


def test_a_night_that_never_landed_is_named_with_the_remedy() -> None:
    nights = [date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)]
    require_landed("orders", dict.fromkeys(nights, 0), nights)
    with pytest.raises(LookupError) as caught:
        require_landed("orders", {nights[0]: 0}, nights)
    assert str(caught.value) == (
        "raw/orders has not landed 2 of the nights that are needed (2024-03-02 to 2024-03-03); "
        "materialise raw/orders for them first"
    )

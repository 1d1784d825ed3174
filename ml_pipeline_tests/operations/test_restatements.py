import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from ml_pipeline.domain.hindsight import Difference
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.restatements import Restatement, find_restatements
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import land_everything
from ml_pipeline_tests.shop_deliveries import deliver_later

NIGHT, DUE = date(2024, 4, 10), date(2024, 4, 5)
CHECKED = nights_between(date(2024, 4, 3), nights_back(NIGHT, 1))


ARRIVAL = datetime(2024, 4, 9, 9, tzinfo=UTC)


def order(number: int, dispatch_date: date, known_at: datetime) -> dict[str, object]:
    return {
        "order_id": f"O{number}", "placed_at": known_at, "dispatch_date": dispatch_date, "product_code": "NA",
        "channel": "web", "quantity": 2, "price_eur": 10.0, "coupon": None, "known_at": known_at,
    }  # fmt: skip


def built(site: Site, *orders: dict[str, object]) -> Site:
    """``site`` landed until NIGHT, with the features of the nights that are checked."""
    deliver_later(site.sql.folder, "orders", list(orders))
    land_everything(site, NIGHT)
    build_features(site, CHECKED)
    return site


@pytest.fixture
def shop(shop_site: Site) -> Site:
    """The shop built until the night before NIGHT, which landed two orders of DUE."""
    return built(shop_site, order(900_001, DUE, ARRIVAL), order(900_002, DUE, ARRIVAL))


def found(site: Site, *checked: date) -> list[Restatement]:
    versions = {
        name: site.tables.read(f"raw/{name}", nights_between(site.calendar.first_night, NIGHT), contract.key)
        for name, contract in site.sql.sources.items()
    }
    return find_restatements(site, NIGHT, checked, versions)


def test_the_night_to_which_the_rows_belong_is_found_with_what_it_would_have_been(shop: Site) -> None:
    (restatement,) = found(shop, *CHECKED)
    assert (restatement.night, restatement.difference) == (DUE, Difference(2, 0))
    published = shop.tables.published(features_table(shop.sql))
    assert restatement.content_hash_in_hindsight not in {night.content_hash for night in published.values()}


@pytest.mark.parametrize("checked", [[DUE], [date(2024, 4, 3), DUE], [DUE, nights_back(NIGHT, 1)]])
def test_it_does_not_matter_which_other_nights_are_checked(shop: Site, checked: list[date]) -> None:
    assert found(shop, *checked) == found(shop, *CHECKED)


def test_a_night_that_is_not_checked_is_not_found(shop: Site) -> None:
    assert found(shop, *(night for night in CHECKED if night != DUE)) == []


def test_a_correction_of_what_no_checked_night_can_see_is_not_mistaken_for_a_late_row(shop_site: Site) -> None:
    """The order was known seven weeks ago, so what came on NIGHT is not an order that should have come on DUE."""
    site = built(shop_site, order(900_003, DUE, datetime(2024, 2, 20, 9, tzinfo=UTC)), order(900_003, DUE, ARRIVAL))
    assert found(site, *CHECKED) == []


def test_features_that_wait_to_be_built_again_do_not_pass_for_restated_ones(shop: Site) -> None:
    opened = date(2024, 4, 2)
    rows = shop.tables.read("raw/returns", [opened])
    opposite = pa.array([not value for value in rows["is_sent_back"].to_pylist()])
    rows = rows.set_column(rows.schema.get_field_index("is_sent_back"), "is_sent_back", opposite)
    shop.tables.publish("raw/returns", rows, {opened: NightInputs("", {})}, key=["order_id", "known_at"])
    assert [restatement.night for restatement in found(shop, *CHECKED)] == [DUE]


def test_looking_back_changes_nothing_and_leaves_nothing_behind(
    shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    before = published_files(shop)
    assert found(shop, *CHECKED)
    assert published_files(shop) == before
    assert list(aside.iterdir()) == []


def published_files(site: Site) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for folder in ("raw", "features") for path in (site.data / folder).rglob("*")}

import dataclasses
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.land import land
from ml_pipeline.operations.late_arrivals import (
    LATE_ARRIVALS,
    RESTATEMENTS,
    measure_late_arrivals,
    stale_late_arrivals,
)
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import land_everything, open_test_site
from ml_pipeline_tests.shop_deliveries import FIRST_NIGHT, deliver_later

# The shop corrects nothing of its own on the nights of 10 and 11 April.
NIGHT = date(2024, 4, 10)
ARRIVAL = datetime(2024, 4, 9, 9, tzinfo=UTC)
BUILT_FROM = date(2024, 3, 1)
SHOP_NIGHTS = nights_between(date(2024, 4, 3), date(2024, 4, 9))


@pytest.fixture
def shop(shop_site: Site) -> Site:
    """The shop, landed and built until the night before NIGHT."""
    eve = nights_back(NIGHT, 1)
    land_everything(shop_site, eve)
    build_features(shop_site, nights_between(BUILT_FROM, eve))
    return shop_site


def delivered(site: Site, source: str, *rows: dict[str, Any]) -> None:
    """Deliver ``rows`` with an arrival in the window of NIGHT, and land the night whole."""
    deliver_later(site.sql.folder, source, [row | {"known_at": ARRIVAL} for row in rows])
    for name in site.sql.sources:
        land(site, name, [NIGHT])


def late_order(dispatch_date: Night, number: int = 900_001) -> dict[str, Any]:
    return {
        "order_id": f"O{number}", "placed_at": ARRIVAL, "dispatch_date": dispatch_date, "product_code": "NA",
        "channel": "web", "quantity": 2, "price_eur": 10.0, "coupon": None,
    }  # fmt: skip


def corrected_return(site: Site, landed_on: Night) -> dict[str, Any]:
    """The first return of a night, turned into its opposite."""
    row = site.tables.read("raw/returns", [landed_on]).slice(0, 1).to_pylist()[0]
    del row["score_date"]
    return row | {"is_sent_back": not row["is_sent_back"], "refund_eur": None}


def arrivals(site: Site, night: Night = NIGHT) -> list[dict[str, Any]]:
    return site.tables.read(LATE_ARRIVALS, [night]).drop(["score_date"]).to_pylist()


def restated(site: Site, night: Night = NIGHT) -> dict[Night, dict[str, Any]]:
    return {row["affected_night"]: row for row in site.tables.read(RESTATEMENTS, [night]).to_pylist()}


def entry(source: str, kind: str, nights_late: int, *, checked: int, changed: int, rows: int = 1) -> dict[str, Any]:
    return {
        "source": source, "kind": kind, "nights_late": nights_late, "rows": rows,
        "first_affected_night": nights_back(NIGHT, nights_late), "last_affected_night": nights_back(NIGHT, 1),
        "nights_checked": checked, "nights_changed": changed,
    }  # fmt: skip


def test_a_night_without_late_rows_is_published_empty(shop: Site) -> None:
    delivered(shop, "orders", late_order(NIGHT), late_order(NIGHT, 900_002))
    result = measure_late_arrivals(shop, [NIGHT])
    assert (result.table, result.changed, result.rows) == (LATE_ARRIVALS, (NIGHT,), 0)
    assert [shop.tables.published(table)[NIGHT].rows for table in (LATE_ARRIVALS, RESTATEMENTS)] == [0, 0]


def test_an_order_that_came_late_would_have_been_one_row_of_its_night_and_of_no_other(shop: Site) -> None:
    due = date(2024, 4, 5)
    delivered(shop, "orders", late_order(due))
    assert measure_late_arrivals(shop, [NIGHT]).changed == (NIGHT,)
    assert arrivals(shop) == [entry("orders", "late", 5, checked=5, changed=1)]
    (row,) = restated(shop).values()
    assert (row["affected_night"], row["rows_changed"], row["features_changed"]) == (due, 1, 0)
    published = shop.tables.published(features_table(shop.sql))[due].content_hash
    assert row["content_hash"] == published != row["content_hash_in_hindsight"]


def test_a_corrected_return_would_have_changed_every_night_since_the_wrong_one_landed(shop: Site) -> None:
    wrong_since = date(2024, 4, 1)
    delivered(shop, "returns", corrected_return(shop, wrong_since))
    measure_late_arrivals(shop, [NIGHT])
    assert arrivals(shop) == [entry("returns", "correction", 9, checked=9, changed=9)]
    found = restated(shop)
    assert list(found) == list(nights_between(wrong_since, nights_back(NIGHT, 1)))
    # All orders of the product see its rate, and nothing but rates may change.
    assert all(0 < row["rows_changed"] <= 40 and 0 < row["features_changed"] <= 4 for row in found.values())


def test_a_correction_of_what_no_feature_reads_changes_no_night(shop: Site) -> None:
    row = corrected_return(shop, date(2024, 4, 1))
    delivered(shop, "returns", row | {"is_sent_back": not row["is_sent_back"], "refund_eur": 1.0})
    measure_late_arrivals(shop, [NIGHT])
    assert arrivals(shop) == [entry("returns", "correction", 9, checked=9, changed=0)]
    assert restated(shop) == {}


def test_a_correction_that_is_corrected_stands_for_the_version_before_it(shop: Site) -> None:
    """The first correction landed on 3 April; what the second one says was wrong since then, not since 20 March."""
    landed_on = date(2024, 4, 3)
    twice = next(
        row for row in shop.tables.read("raw/returns", [landed_on]).to_pylist()
        if row["refund_eur"] is None and row["dispatch_date"] < date(2024, 3, 29)
    )  # fmt: skip
    del twice["score_date"]
    delivered(shop, "returns", twice | {"is_sent_back": not twice["is_sent_back"]})
    measure_late_arrivals(shop, [NIGHT])
    assert arrivals(shop) == [entry("returns", "correction", 7, checked=7, changed=7)]


def test_of_a_reference_that_was_wrong_from_the_beginning_the_last_four_weeks_are_checked(shop: Site) -> None:
    row = shop.tables.read("raw/products", [FIRST_NIGHT]).slice(0, 1).drop(["score_date"]).to_pylist()[0]
    checked = nights_between(nights_back(NIGHT, 28), nights_back(NIGHT, 1))
    orders = shop.tables.read("raw/orders", nights_between(FIRST_NIGHT, NIGHT)).to_pylist()
    ordered = {one["dispatch_date"] for one in orders if one["product_code"] == row["product_code"]} & set(checked)
    delivered(shop, "products", row | {"list_price_eur": 1000.0})
    measure_late_arrivals(shop, [NIGHT])
    nights_late = (NIGHT - FIRST_NIGHT).days
    assert arrivals(shop) == [entry("products", "correction", nights_late, checked=28, changed=len(ordered))]
    assert set(restated(shop)) == ordered and len(ordered) > 20


def test_late_rows_of_several_kinds_are_told_apart_and_counted(shop: Site) -> None:
    delivered(
        shop, "orders", late_order(date(2024, 4, 8)), late_order(date(2024, 4, 8), 900_002),
        late_order(date(2024, 4, 5), 900_003), late_order(NIGHT, 900_004),
    )  # fmt: skip
    measure_late_arrivals(shop, [NIGHT])
    assert arrivals(shop) == [
        entry("orders", "late", 2, rows=2, checked=2, changed=1),
        entry("orders", "late", 5, rows=1, checked=5, changed=2),
    ]
    assert {night: row["rows_changed"] for night, row in restated(shop).items()} == {
        date(2024, 4, 5): 1,
        date(2024, 4, 8): 2,
    }


def test_only_nights_that_have_features_are_checked(shop: Site) -> None:
    due = nights_back(BUILT_FROM, 3)
    delivered(shop, "orders", late_order(due), late_order(date(2024, 4, 8), 900_002))
    unbuilt = dataclasses.replace(shop, sql=changed_sql(shop))
    build_features(unbuilt, [date(2024, 4, 7), date(2024, 4, 8)])
    measure_late_arrivals(unbuilt, [NIGHT])
    assert arrivals(unbuilt) == [
        entry("orders", "late", 2, checked=1, changed=1),
        entry("orders", "late", (NIGHT - due).days, checked=2, changed=1),
    ]


def changed_sql(site: Site) -> Any:
    """The SQL project with another lookback of one feature, and therefore without any features built."""
    path = site.sql.folder / "staging" / "stg_returns.sql"
    path.write_text(path.read_text(encoding="utf-8").replace("score_date - 7", "score_date - 6"), encoding="utf-8")
    return open_test_site(site.sql.folder, site.data).sql


def test_a_source_that_does_not_say_when_it_expects_its_rows_reports_corrections_alone(shop: Site) -> None:
    sources = {name: one.model_copy(update={"expected_by": None}) for name, one in shop.sql.sources.items()}
    silent = dataclasses.replace(shop, sql=dataclasses.replace(shop.sql, sources=sources))
    deliver_later(shop.sql.folder, "orders", [late_order(date(2024, 4, 5)) | {"known_at": ARRIVAL}])
    delivered(silent, "returns", corrected_return(shop, date(2024, 4, 8)))
    measure_late_arrivals(silent, [NIGHT])
    assert arrivals(silent) == [entry("returns", "correction", 2, checked=2, changed=2)]


def test_saying_when_rows_are_expected_makes_no_new_feature_set(shop_site: Site) -> None:
    path = shop_site.sql.folder / "sources.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    silent = [line for line in lines if "expected_by" not in line]
    path.write_text("\n".join(silent), encoding="utf-8")
    assert len(silent) == len(lines) - 2
    assert open_test_site(path.parent, shop_site.data).sql.feature_set_version == shop_site.sql.feature_set_version


def test_measuring_again_measures_and_commits_nothing(shop: Site) -> None:
    told: list[str] = []
    delivered(shop, "orders", late_order(date(2024, 4, 5)))
    assert stale_late_arrivals(shop, [NIGHT]) == [NIGHT]
    first = measure_late_arrivals(shop, [NIGHT])
    assert stale_late_arrivals(shop, [NIGHT]) == []
    again = measure_late_arrivals(dataclasses.replace(shop, progress=told.append), [NIGHT])
    assert (again.version, again.changed, again.unchanged) == (first.version, (), (NIGHT,))
    assert told == []


def test_a_range_gives_what_its_nights_give_alone(shop: Site, tmp_path) -> None:  # type: ignore[no-untyped-def]
    measure_late_arrivals(shop, SHOP_NIGHTS)
    together = {table: shop.tables.published(table) for table in (LATE_ARRIVALS, RESTATEMENTS)}
    assert sum(night.rows for night in together[LATE_ARRIVALS].values()) == 4
    assert sum(night.rows for night in together[RESTATEMENTS].values()) == 20
    for table in together:
        shop.tables.path(table).rename(tmp_path / table.replace("/", "_"))
    for night in reversed(SHOP_NIGHTS):
        measure_late_arrivals(shop, [night])
    for table, nights in together.items():
        alone = shop.tables.published(table)
        assert {night: found.content_hash for night, found in nights.items()} == {
            night: found.content_hash for night, found in alone.items()
        }


def test_a_night_is_measured_anew_when_what_it_was_measured_from_has_changed(shop: Site) -> None:
    delivered(shop, "orders", late_order(date(2024, 4, 5)))
    nights = [nights_back(NIGHT, 2), NIGHT]
    measure_late_arrivals(shop, nights)
    eve = nights_back(NIGHT, 1)
    rows = shop.tables.read("raw/returns", [eve])
    shop.tables.publish("raw/returns", rows.slice(1), {eve: NightInputs("", {})}, key=["order_id", "known_at"])
    assert stale_late_arrivals(shop, nights) == [NIGHT]
    measure_late_arrivals(shop, nights)
    build_features(shop, [eve])
    assert stale_late_arrivals(shop, nights) == [NIGHT]


def test_the_first_night_of_all_landed_nothing_late(shop: Site) -> None:
    assert measure_late_arrivals(shop, [FIRST_NIGHT]).rows == 0


def test_a_source_that_has_landed_no_row_yet_is_no_obstacle(shop_site: Site) -> None:
    night, arrival = nights_back(FIRST_NIGHT, -1), datetime(2024, 2, 15, 9, tzinfo=UTC)
    deliver_later(shop_site.sql.folder, "orders", [late_order(FIRST_NIGHT) | {"known_at": arrival}])
    land_everything(shop_site, night)
    assert shop_site.tables.published("raw/returns")[night].rows == 0
    build_features(shop_site, [FIRST_NIGHT])
    measure_late_arrivals(shop_site, [night])
    assert [(row["kind"], row["nights_changed"]) for row in arrivals(shop_site, night)] == [("late", 1)]


def test_what_has_not_landed_cannot_be_measured(shop: Site) -> None:
    with pytest.raises(LookupError, match=f"raw/orders has not landed 1 of the nights that are needed \\({NIGHT}"):
        measure_late_arrivals(shop, [NIGHT])
    with pytest.raises(ValueError, match="night 2024-02-14 is outside"):
        stale_late_arrivals(shop, [nights_back(FIRST_NIGHT, 1)])

"""The shop's two orders of no pieces, in the quarantines of 27 February and 5 April, and what a person may do with them."""

from datetime import date

import pytest

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.build import stale_features
from ml_pipeline.operations.land import land, stale_landings
from ml_pipeline.operations.quarantine import CannotReleaseError, quarantined, release
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.stale_scores import stale_scores
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, SHOP_SCORED

SET_ASIDE, ORDER = date(2024, 2, 27), "O000500"
NEXT = date(2024, 5, 29)


def orders(site: Site, *nights: date) -> dict[str, dict[str, object]]:
    rows = site.tables.read("raw/orders", nights).to_pylist()
    return {row["order_id"]: row for row in rows}


def number(site: Site) -> int:
    (found,) = quarantined(site, "orders", SET_ASIDE)
    assert found.values["order_id"] == ORDER and found.rules == ("quantity: at least 1",)
    return found.row


def facts(site: Site, night: date) -> dict[str, int]:
    return dict(site.tables.published("raw/orders", [night])[night].facts)


def test_a_released_row_lands_in_the_next_night_as_known_at_its_cutoff(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    before = site.tables.published("raw/orders")
    done = release(site, "orders", SET_ASIDE, [number(site)], reason="a gift card has no pieces")
    assert (done.release.released_on, done.is_landed, done.stale_features, done.stale_scores) == (NEXT, False, (), ())
    land(site, "orders", [NEXT])
    landed = orders(site, NEXT)[ORDER]
    assert (landed["quantity"], landed["known_at"]) == (0, site.calendar.cutoff(NEXT))
    assert facts(site, NEXT) == {"read": 1, "landed": 1, "quarantined": 0, "deduplicated": 0, "released": 1}
    assert {night: entry for night, entry in site.tables.published("raw/orders").items() if night != NEXT} == before
    assert stale_landings(site, "orders", [*before, NEXT]) == []


def test_rows_delivered_are_rows_landed_quarantined_or_dropped_and_released_rows_are_counted_apart(
    landed_shop_copy: Site,
) -> None:
    site = landed_shop_copy
    release(site, "orders", SET_ASIDE, [number(site)], reason="a gift card has no pieces")
    land(site, "orders", [NEXT])
    totals = [entry.facts for entry in site.tables.published("raw/orders").values()]
    delivered = sum(fact["read"] - fact.get("released", 0) for fact in totals)
    landed, released = sum(fact["landed"] for fact in totals), sum(fact.get("released", 0) for fact in totals)
    still_there = sum(fact["quarantined"] for fact in totals) - released
    assert delivered == 4000 == landed + still_there + sum(fact["deduplicated"] for fact in totals)
    assert (released, still_there) == (1, 1)


def test_a_release_into_a_landed_night_makes_it_and_later_nights_stale(scored_shop_copy: Site) -> None:
    site, into = scored_shop_copy, date(2024, 5, 8)
    before = orders(site, into)
    with pytest.raises(CannotReleaseError, match="2024-05-08 is landed already"):
        release(site, "orders", SET_ASIDE, [number(site)], reason="seen by hand", into=into)
    done = release(site, "orders", SET_ASIDE, [number(site)], reason="seen by hand", into=into, restate=True)
    assert orders(site, into) == before | {ORDER: orders(site, into)[ORDER]}
    built = nights_between(site.calendar.first_night, SHOP_LANDED_UNTIL)
    assert list(done.stale_features) == stale_features(site, built) != []
    assert list(done.stale_scores) == stale_scores(site, SHOP_SCORED)
    assert min(done.stale_features) == into and min(done.stale_scores, default=into) >= into


def test_a_row_is_released_once(landed_shop_copy: Site) -> None:
    site, row = landed_shop_copy, number(landed_shop_copy)
    release(site, "orders", SET_ASIDE, [row], reason="seen by hand")
    assert quarantined(site, "orders", SET_ASIDE)[0].released_into == NEXT
    with pytest.raises(CannotReleaseError, match="was released before, into 2024-05-29"):
        release(site, "orders", SET_ASIDE, [row], reason="again")
    assert len(site.ledger("releases").entries()) == 1


@pytest.mark.parametrize(
    ("night", "rows", "options", "message"),
    [
        (SET_ASIDE, [], {}, "name the rows"),
        (SET_ASIDE, [99], {}, r"no row \[99\] is in quarantine"),
        (date(2024, 2, 28), [0], {}, r"no row \[0\] is in quarantine"),
        (SET_ASIDE, None, {"reason": " "}, "needs a reason"),
        (SET_ASIDE, None, {"into": date(2024, 2, 26)}, "were not known on 2024-02-26"),
        (SET_ASIDE, None, {"into": date(2025, 1, 1)}, "outside this project's nights"),
    ],
)
def test_what_cannot_be_released_is_refused_and_not_recorded(
    landed_shop_copy: Site, night: date, rows: list[int] | None, options: dict[str, object], message: str
) -> None:
    site = landed_shop_copy
    wanted = [number(site)] if rows is None else rows
    with pytest.raises(ValueError, match=message):
        release(site, "orders", night, wanted, **({"reason": "seen by hand"} | options))
    assert site.ledger("releases").entries() == []


def test_a_source_that_there_is_not_is_named(landed_shop_copy: Site) -> None:
    with pytest.raises(LookupError, match="there is no source 'order'"):
        quarantined(landed_shop_copy, "order")

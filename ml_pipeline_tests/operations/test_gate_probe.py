from datetime import date

import pytest

from ml_pipeline.contracts.source import KNOWN_AT
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.gate_probe import ShownRows, rows_shown
from ml_pipeline.operations.site import Site

FIRST, LAST = date(2024, 4, 17), date(2024, 4, 18)


def rows_of(shown: list[ShownRows], relation: str, days: int | None, night: date) -> int:
    return sum(
        entry.rows for entry in shown if (entry.relation, entry.lookback_days, entry.night) == (relation, days, night)
    )


@pytest.mark.parametrize("night", [FIRST, LAST])
def test_what_is_shown_is_what_a_plain_count_of_the_landed_rows_gives(landed_shop: Site, night: date) -> None:
    """Of each key the last version that landed in the 28 nights up to the night; all of the catalogue."""
    shown = rows_shown(landed_shop, FIRST, LAST)
    opened = nights_between(nights_back(night, 27), night)
    returns = landed_shop.tables.read("raw/returns", opened).to_pandas()
    assert rows_of(shown, "returns", 28, night) == returns["order_id"].nunique()
    assert rows_of(shown, "products", None, night) == 10
    last = returns.sort_values(KNOWN_AT).drop_duplicates("order_id", keep="last")
    clocks = [entry for entry in shown if (entry.relation, entry.lookback_days, entry.night) == ("returns", 28, night)]
    assert {entry.known_on for entry in clocks} == set(last["score_date"])
    assert min(entry.first_known_at for entry in clocks if entry.first_known_at) == last[KNOWN_AT].min()
    assert max(entry.last_known_at for entry in clocks if entry.last_known_at) == last[KNOWN_AT].max()


def test_every_relation_of_features_and_label_is_asked(landed_shop: Site) -> None:
    found = {(entry.relation, entry.lookback_days) for entry in rows_shown(landed_shop, LAST, LAST)}
    assert found == {("orders", 3), ("returns", 28), ("returns", 1), ("products", None)}


def test_sums_of_landings_are_asked_too_and_have_no_clocks_of_their_own(flights_site: Site) -> None:
    night = date(2013, 3, 5)
    sums = [
        entry for entry in rows_shown(flights_site, night, night) if entry.relation in flights_site.sql.landing_models
    ]
    assert {entry.relation for entry in sums} == set(flights_site.sql.landing_models)
    assert {entry.known_on for entry in sums} == set(nights_between(nights_back(night, 27), night))
    assert {entry.first_known_at for entry in sums} == {None}

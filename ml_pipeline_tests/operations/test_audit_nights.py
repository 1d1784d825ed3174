"""The sound shop and one tampered night; the mutants that these audits are for stand in promises/test_mutants.py."""

from datetime import date

import pyarrow as pa
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.audit_nights import poisoned_future, rows_read_are_known, shuffled_nights
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, SHOP_SCORED


def tampered(site: Site, night: date) -> Site:
    table = features_table(site.sql)
    rows = site.tables.read(table, [night])
    touched = rows.set_column(rows.schema.get_field_index("quantity"), "quantity", [[9.0] * rows.num_rows])
    site.tables.publish(table, touched, {night: NightInputs("", {})}, key=["order_id"])
    return site


@pytest.mark.parametrize("night", [date(2024, 2, 15), SHOP_SCORED[0], SHOP_LANDED_UNTIL])
def test_hostile_rows_change_no_night_the_first_and_the_last_included(built_shop: Site, night: date) -> None:
    assert poisoned_future(built_shop, [night]).violations == ()


@pytest.mark.parametrize("night", [date(2024, 2, 15), SHOP_LANDED_UNTIL])
def test_neighbours_and_the_order_of_rows_change_no_night_at_either_end(built_shop: Site, night: date) -> None:
    audit = shuffled_nights(built_shop, [night])
    assert audit.violations == ()
    assert audit.trials == (1 if night < SHOP_SCORED[0] else 3)


def test_several_nights_are_built_in_a_range_and_alone(built_shop: Site) -> None:
    audit = shuffled_nights(built_shop, [*SHOP_SCORED[:3], SHOP_SCORED[6]])
    # Three nights and two before them, three alone; one night and two before it.
    assert (audit.trials, audit.violations) == (3 + 2 + 3 + 1 + 2, ())


@pytest.mark.parametrize("audit", [poisoned_future, shuffled_nights])
def test_a_night_that_is_not_what_its_rows_give_is_named_with_its_column(scored_shop_copy: Site, audit: type) -> None:
    night = SHOP_SCORED[2]
    (told,) = audit(tampered(scored_shop_copy, night), [night]).violations
    assert told.startswith(f"{night}: ")
    assert "features are not as published: quantity in " in told


@pytest.mark.parametrize("audit", [poisoned_future, shuffled_nights])
def test_a_night_that_was_never_built_is_refused_by_name(landed_shop: Site, audit: type) -> None:
    with pytest.raises(LookupError, match="features has not been built .*2024-05-05"):
        audit(landed_shop, [SHOP_SCORED[0]])


def test_every_row_that_a_night_reads_is_a_trial(built_shop: Site) -> None:
    audit = rows_read_are_known(built_shop, [SHOP_SCORED[0]])
    assert audit.violations == ()
    # Three nights see three nights of orders and four weeks of returns each.
    assert audit.trials > 3 * (2 * 40 + 20 * 40)


def test_a_label_of_a_later_night_is_named(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, SHOP_SCORED[0]
    later = site.tables.read("labels", [SHOP_SCORED[1]])
    early = later.set_column(0, later.schema.field(0), [[night] * later.num_rows])
    site.tables.publish("labels", early, {night: NightInputs("", {})}, key=["order_id", "label_known_at"])
    (told,) = rows_read_are_known(site, [night]).violations
    assert told.startswith(f"{night}: labels holds a row of {night} that was known at 2024-05-0")
    assert "after the night's cutoff 2024-05-04 18:00:00+00:00" in told


def test_a_label_without_a_clock_is_named(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, SHOP_SCORED[0]
    rows = site.tables.read("labels", [night])
    place, field = rows.schema.get_field_index("label_known_at"), rows.schema.field("label_known_at")
    unknown = rows.set_column(place, field, pa.nulls(rows.num_rows, field.type))
    site.tables.publish("labels", unknown, {night: NightInputs("", {})}, key=["order_id", "label_known_at"])
    told = rows_read_are_known(site, [night]).violations
    assert told == (f"{night}: labels holds {rows.num_rows} rows of {night} that were never known",)


def test_no_nights_are_no_trials(built_shop: Site) -> None:
    assert [audit(built_shop, []).trials for audit in (poisoned_future, shuffled_nights, rows_read_are_known)] == [
        0
    ] * 3

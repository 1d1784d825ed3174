import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.audit import rebuild_alone
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_SCORED


def test_published_nights_are_what_they_are_alone(built_shop: Site) -> None:
    audit = rebuild_alone(built_shop, SHOP_SCORED)
    assert (audit.trials, audit.violations) == (8, ())


def test_a_night_that_is_not_what_its_rows_give_is_named(scored_shop_copy: Site) -> None:
    """The mutant: one feature of one row of one night was touched after it was built."""
    site, night = scored_shop_copy, SHOP_SCORED[2]
    table = features_table(site.sql)
    rows = site.tables.read(table, [night])
    values = rows["quantity"].to_pylist()
    values[0] += 1.0
    touched = rows.set_column(rows.schema.get_field_index("quantity"), "quantity", [values])
    site.tables.publish(table, touched, {night: NightInputs("", {})}, key=["order_id"])
    audit = rebuild_alone(site, SHOP_SCORED)
    assert audit.trials == 8
    (told,) = audit.violations
    key = rows["order_id"][0].as_py()
    assert told == (
        f"{night}: alone, features are not as published: quantity in 1 of 40 rows ({key}: {values[0]} is {values[0] - 1})"
    )


def test_a_night_that_was_never_built_is_refused_by_name(landed_shop: Site) -> None:
    with pytest.raises(LookupError, match="features has not been built .*2024-05-05"):
        rebuild_alone(landed_shop, SHOP_SCORED[:1])


def test_no_nights_are_no_trials(built_shop: Site) -> None:
    assert rebuild_alone(built_shop, []).trials == 0

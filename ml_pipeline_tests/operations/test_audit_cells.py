import random
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_cells import check_cells
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_SCORED, open_test_site

NIGHT = SHOP_SCORED[3]
ORACLE = """
from functools import cache

import pandas as pd

from ml_pipeline.nights import nights_back


class Oracle:
    features = ("quantity", "has_coupon", "channel", "product_order_count_28d", "product_return_rate_28d")

    def __init__(self, landed, calendar):
        self.landed, self.calendar = landed, calendar

    @cache
    def known(self, source, night):
        rows = self.landed[source]
        rows = rows[rows["known_at"] <= pd.Timestamp(self.calendar.cutoff(night))].sort_values("known_at")
        return rows.drop_duplicates("order_id", keep="last")

    def cell(self, key, night, feature):
        orders = self.known("orders", night)
        order = orders[orders["order_id"] == key["order_id"]].iloc[0]
        since = pd.Timestamp(self.calendar.cutoff(nights_back(night, 28)))
        returns = self.known("returns", night)
        mine = returns[(returns["known_at"] > since) & (returns["product_code"] == order["product_code"])]
        values = {
            "quantity": float(order["quantity"]),
            "has_coupon": float(isinstance(order["coupon"], str)),
            "channel": order["channel"],
            "product_order_count_28d": float(len(mine)),
            "product_return_rate_28d": float(mine["is_sent_back"].mean()),
        }
        return values[feature]
"""


@pytest.fixture
def audited_shop(built_shop: Site, shop_project: Path, tmp_path: Path) -> Site:
    """A built shop of the test's own that brings an oracle."""
    shutil.copytree(built_shop.data, tmp_path / "data")
    site = open_test_site(shop_project, tmp_path / "data")
    write_oracle(site, ORACLE)
    return site


def write_oracle(site: Site, text: str) -> None:
    (site.sql.folder / "oracle.py").write_text(text, encoding="utf-8")


def answering(expression: str) -> str:
    return ORACLE.replace("return values[feature]", f"return {expression}")


def publish_touched(site: Site, feature: str, row: int, value: object) -> str:
    """Publish NIGHT with another value in one cell; returns the order that it belongs to."""
    table = features_table(site.sql)
    rows = site.tables.read(table, [NIGHT])
    position = rows.schema.get_field_index(feature)
    values = rows[feature].to_pylist()
    assert values[row] != value
    values[row] = value
    touched = rows.set_column(position, rows.schema.field(position), pa.array(values, rows.schema.field(position).type))
    site.tables.publish(table, touched, {NIGHT: NightInputs("", {})}, key=["order_id"])
    return str(rows["order_id"][row])


def test_published_cells_are_what_the_oracle_says(audited_shop: Site) -> None:
    assert check_cells(audited_shop, SHOP_SCORED, 200) == Audit(200, ())


@pytest.mark.parametrize(
    ("feature", "value", "shown"),
    [("product_order_count_28d", 1.0, "published 1.0, oracle"), ("channel", "fax", "published fax, oracle"),
     ("has_coupon", None, "published None, oracle"), ("product_return_rate_28d", 0.5, "published 0.5, oracle 0.")],
)  # fmt: skip
def test_one_cell_that_is_something_else_is_named(audited_shop: Site, feature: str, value: object, shown: str) -> None:
    """The mutants. With 240 draws of each of five features, every one of a night's forty orders is looked at."""
    order = publish_touched(audited_shop, feature, 17, value)
    audit = check_cells(audited_shop, [NIGHT], 1_200)
    assert audit.trials == 1_200
    (violation,) = set(audit.violations)
    assert violation.startswith(f"{NIGHT}: {feature} of order_id {order}: {shown}")


def test_a_mean_may_differ_in_its_last_digits_and_no_more(audited_shop: Site) -> None:
    rows = audited_shop.tables.read(features_table(audited_shop.sql), [NIGHT])
    mean = rows["product_return_rate_28d"][17].as_py()
    publish_touched(audited_shop, "product_return_rate_28d", 17, mean * (1 + 1e-12))
    assert check_cells(audited_shop, [NIGHT], 1_200).violations == ()
    publish_touched(audited_shop, "product_return_rate_28d", 17, mean * (1 + 1e-7))
    assert check_cells(audited_shop, [NIGHT], 1_200).violations != ()


def test_the_oracle_is_shown_the_lookback_and_three_later_nights(audited_shop: Site) -> None:
    """So that a cell made from later rows would differ from it."""
    write_oracle(audited_shop, answering("str(self.landed['returns']['score_date'].agg(['min', 'max']).tolist())"))
    audit = check_cells(audited_shop, [NIGHT], 5)
    assert len(audit.violations) == 5
    seen = [date(2024, 4, 11), date(2024, 5, 11)]
    assert all(violation.endswith(f"oracle {seen}") for violation in audit.violations)


def test_features_take_turns_and_the_same_nights_draw_the_same_cells(audited_shop: Site) -> None:
    write_oracle(audited_shop, answering("None"))
    audit = check_cells(audited_shop, SHOP_SCORED, 10)
    features = sorted(violation.split()[1] for violation in audit.violations)
    assert features == sorted(
        ["channel", "has_coupon", "product_order_count_28d", "product_return_rate_28d", "quantity"] * 2
    )
    assert check_cells(audited_shop, random.Random(1).sample(SHOP_SCORED, len(SHOP_SCORED)), 10) == audit
    assert check_cells(audited_shop, SHOP_SCORED[1:], 10) != audit


def test_without_an_oracle_or_without_rows_there_is_nothing_to_try(audited_shop: Site) -> None:
    assert check_cells(audited_shop, [], 10) == Audit(0, ())
    table = features_table(audited_shop.sql)
    none = audited_shop.tables.read(table, [NIGHT]).slice(0, 0)
    audited_shop.tables.publish(table, none, {NIGHT: NightInputs("", {})}, key=["order_id"])
    assert check_cells(audited_shop, [NIGHT], 10) == Audit(0, ())
    (audited_shop.sql.folder / "oracle.py").unlink()
    assert check_cells(audited_shop, SHOP_SCORED, 10) == Audit(0, ())


def test_a_night_that_was_never_built_is_an_error(audited_shop: Site) -> None:
    with pytest.raises(LookupError, match="features has not been built for 1 of the nights.*2024-06-01"):
        check_cells(audited_shop, [NIGHT, date(2024, 6, 1)], 10)


def test_an_oracle_of_other_features_is_an_error(audited_shop: Site) -> None:
    write_oracle(audited_shop, ORACLE.replace("features = (", "features = ('other',) or ("))
    with pytest.raises(LookupError, match=r"the oracle in .*shop_returns names no feature of this project"):
        check_cells(audited_shop, [NIGHT], 10)


def test_what_the_oracle_raises_is_not_swallowed(audited_shop: Site) -> None:
    write_oracle(audited_shop, answering("values['unknown']"))
    with pytest.raises(KeyError, match="unknown"):
        check_cells(audited_shop, [NIGHT], 10)


def test_the_check_leaves_the_use_case_as_it_was(audited_shop: Site) -> None:
    before = sorted(audited_shop.sql.folder.rglob("*"))
    check_cells(audited_shop, [NIGHT], 10)
    assert sorted(audited_shop.sql.folder.rglob("*")) == before

"""The walk through one query; that the models around it are followed is tested with the lineage."""

import dataclasses
from pathlib import Path

import pytest

from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.io.sql_lineage import column_lineage
from ml_pipeline.io.sql_project import load_sql_project
from ml_pipeline_tests.tried_model import RETURNS, SPINE, check

# Of every column of the shop's orders: the row of the spine is chosen by the day of its dispatch.
ORDERS, NIGHT = "orders.dispatch_date", "the calendar.score_date"
IN_RETURNS = {"products.product_code", "returns.product_code", NIGHT}


def reads(project: Path, text: str) -> tuple[set[str], set[str]]:
    """What column v of ``text`` is computed from, and what else chooses its rows."""
    tried = check(project, text)
    sql = load_sql_project_without_tried(project)
    contract = ModelContract(name="tried", description="", grain="")
    sql = dataclasses.replace(sql, models=sql.models | {"tried": tried}, contracts=sql.contracts | {"tried": contract})
    lineage = column_lineage(sql, "tried", "v")
    values, filters = (
        {f"{each.source}.{each.column}" for each in part} for part in (lineage.columns, lineage.filtered_by)
    )
    return values, filters


def load_sql_project_without_tried(project: Path):  # type: ignore[no-untyped-def]
    (project / "features" / "tried.sql").unlink()
    return load_sql_project(project)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f"select quantity as v from {SPINE}", {"orders.quantity"}),
        (f'select tried."QUANTITY" as V from {SPINE} as tried', {"orders.quantity"}),
        (f"select quantity * 2 as w, w + 1 as v from {SPINE}", {"orders.quantity"}),
        (f"select 1 as v from {SPINE}", set()),
        (f"select n as v from (values (1), (2)) as t(n) cross join {SPINE}", set()),
        (f"select cutoff_at - placed_at as v from {SPINE}", {"the calendar.cutoff_at", "orders.placed_at"}),
        (f"with a(x) as (select quantity from {SPINE}), b as (select * from a) select x as v from b", {"orders.quantity"}),
        (f"with a as (with b as (select quantity as v from {SPINE}) from b) from a", {"orders.quantity"}),
        (f"(select quantity as v from {SPINE})", {"orders.quantity"}),
        (f"select v from ((select quantity as v from {SPINE})) as t", {"orders.quantity"}),
        (f"select * exclude (quantity) replace (channel as coupon), quantity + 1 as v from {SPINE}", {"orders.quantity"}),
        (f"select quantity as v from {SPINE} union all select is_sent_back::int from {RETURNS}",
         {"orders.quantity", "returns.is_sent_back"}),
        (f"select channel, quantity as v from {SPINE} union all by name select is_sent_back::int as v, order_id from {RETURNS}",
         {"orders.quantity", "returns.is_sent_back"}),
        (f"select (select max(r.is_sent_back::int) from {RETURNS} as r where r.order_id = s.order_id) as v from {SPINE} as s",
         {"returns.is_sent_back"}),
        (f"select order_id in (select order_id from {RETURNS}) as v from {SPINE}", {"orders.order_id", "returns.order_id"}),
        (f"select (select s.quantity + 1) as v from {SPINE} as s", {"orders.quantity"}),
        (f"select list_transform([1], lambda x: x + quantity)[1] as v from {SPINE}", {"orders.quantity"}),
        (f"select {{'a': quantity}}['a'] as v from {SPINE}", {"orders.quantity"}),
        (f"select x as v from (select quantity, channel from {SPINE}) as x", {"orders.channel", "orders.quantity"}),
        (f"select r as v from {RETURNS} as r",
         {"products.category", "returns.is_sent_back", "returns.known_on", "returns.order_id", "returns.product_code", NIGHT}),
        (f"select row_number() over (partition by channel order by placed_at) as v from {SPINE}", {"orders.placed_at"}),
        (f"select row_number() over w as v from {SPINE} window w as (order by placed_at)", {"orders.placed_at"}),
        (f"select lag(quantity) over (order by placed_at) as v from {SPINE}", {"orders.quantity"}),
        (f"select list(channel order by placed_at) as v from {SPINE}", {"orders.channel", "orders.placed_at"}),
    ],
)  # fmt: skip
def test_a_value_leads_to_the_columns_that_it_is_computed_from(shop_project: Path, text: str, values: set[str]) -> None:
    assert reads(shop_project, text)[0] == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f"select count(*) as v from {SPINE}", {"orders.*"}),
        (f"select count(*) over (partition by channel) as v from {SPINE}", {"orders.*"}),
        (f"select count(*) as v from (select distinct channel from {SPINE})", {"orders.*"}),
        (f"select count(*) as v from {RETURNS}", {"returns.*", "products.*"}),
        (f"select count(*) as v from ((select 1 as one from {SPINE}) union all (select 2 from {RETURNS}))",
         {"orders.*", "returns.*", "products.*"}),
        (f"select exists(select 1 from {RETURNS} as r where r.order_id = s.order_id) as v from {SPINE} as s",
         {"returns.*", "products.*"}),
        (f"select (select count(*) from {RETURNS}) as v from {SPINE}", {"returns.*", "products.*"}),
    ],
)  # fmt: skip
def test_what_counts_rows_leads_to_the_rows(shop_project: Path, text: str, values: set[str]) -> None:
    assert reads(shop_project, text)[0] == values


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        (f"select quantity as v from {SPINE}", {ORDERS, NIGHT}),
        (f"select quantity as v from {SPINE} where coupon is null", {ORDERS, NIGHT, "orders.coupon"}),
        (f"select sum(quantity) as v from {SPINE} group by channel having max(price_eur) > 3",
         {ORDERS, NIGHT, "orders.channel", "orders.price_eur"}),
        (f"select channel, sum(quantity) as v from {SPINE} group by all", {ORDERS, NIGHT, "orders.channel"}),
        (f"select channel, sum(quantity) as v from {SPINE} group by 1", {ORDERS, NIGHT, "orders.channel"}),
        (f"select sum(quantity) filter (where coupon is null) as v from {SPINE}", {ORDERS, NIGHT, "orders.coupon"}),
        (f"select quantity as v from {SPINE} qualify row_number() over (order by placed_at) = 1",
         {ORDERS, NIGHT, "orders.placed_at"}),
        (f"select sum(quantity) over (partition by channel order by placed_at) as v from {SPINE}",
         {ORDERS, NIGHT, "orders.channel", "orders.placed_at"}),
        (f"select sum(quantity) over w as v from {SPINE} window w as (partition by channel order by placed_at)",
         {ORDERS, NIGHT, "orders.channel", "orders.placed_at"}),
        (f"select v from (select quantity * 2 as v, price_eur from {SPINE} order by price_eur, v limit 3)",
         {ORDERS, NIGHT, "orders.price_eur"}),
        (f"select quantity as v from {SPINE} order by price_eur", {ORDERS, NIGHT}),
        (f"select quantity as v from {SPINE} as s where exists (select 1 from {RETURNS} as r where r.order_id = s.order_id)",
         {ORDERS, "orders.order_id", "returns.order_id", "returns.*", "products.*", *IN_RETURNS}),
        (f"select quantity as v from {SPINE} semi join {RETURNS} using (order_id)",
         {ORDERS, "orders.order_id", "returns.order_id", *IN_RETURNS}),
        (f"select s.quantity as v from {SPINE} as s inner join {RETURNS} as r on s.order_id = r.order_id",
         {ORDERS, "orders.order_id", "returns.order_id", *IN_RETURNS}),
        (f"select s.quantity as v from {SPINE} as s left join {RETURNS} as r on s.order_id = r.order_id", {ORDERS, NIGHT}),
        (f"select r.is_sent_back as v from {SPINE} as s left join {RETURNS} as r on s.order_id = r.order_id",
         {ORDERS, "orders.order_id", "returns.order_id", *IN_RETURNS}),
        (f"select b.is_sent_back as v from {SPINE} s left join {RETURNS} a using (order_id) left join {RETURNS} b using (category)",
         {ORDERS, "orders.order_id", "returns.order_id", "products.category", *IN_RETURNS}),
    ],
)  # fmt: skip
def test_what_chooses_joins_or_groups_the_rows_is_kept_apart(shop_project: Path, text: str, filters: set[str]) -> None:
    assert reads(shop_project, text)[1] == filters

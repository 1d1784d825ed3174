from pathlib import Path

import duckdb
import pytest

from ml_pipeline.io.sql_checks import refuse_unsafe_together
from ml_pipeline.io.sql_project import SqlProject, load_sql_project
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline_tests.tried_model import RETURNS, SPINE, check, message, refusal

FLOATING = "of floating-point numbers depends on the order of rows. Sum whole numbers or decimals and divide afterwards, or cast to decimal first."
UNTOLD = "the type of what sum() adds up cannot be told. Cast it inside the call to bigint or decimal, which are added up exactly."


@pytest.mark.parametrize(
    "summed",
    ["price_eur", "quantity / 3", "quantity::double", "2 * (price_eur + quantity)", "quantity * 6e1", "-price_eur", "distinct price_eur",
     "price_eur order by order_id", "coalesce(price_eur, 0)", "case when quantity > 1 then price_eur end", "round(price_eur, 2)",
     "sqrt(quantity)", "epoch(placed_at)", "extract(epoch from placed_at)", "jaccard(channel, channel)",
     "price_eur::decimal(9, 2) / quantity", "cast(price_eur as float)", "list_sum([price_eur])",
     "struct_extract(tried, 'price_eur')"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["sum", "avg", "mean"])
def test_a_sum_of_floating_point_numbers_is_refused_with_its_line(shop_project: Path, name: str, summed: str) -> None:
    caught = refusal(shop_project, f"select\n    {name}({summed}) as x\nfrom {SPINE} as tried")
    assert str(caught) == f"features/tried.sql, line 2: {name}() {FLOATING}"


@pytest.mark.parametrize(
    "summed",
    ["quantity", "quantity * 60.0", "quantity // 3", "cast(quantity / 3 as bigint)", "(quantity / 3 > 1)::int", "price_eur::decimal(9, 2)",
     "price_eur::decimal(9, 2) * quantity", "case when quantity > 1 then 0.5 else 1 end", "score_date - placed_at::date",
     "length(channel)", "list_sum([quantity])", "date_diff('minute', placed_at, cutoff_at)", "try_cast(price_eur as int)"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["sum", "avg"])
def test_a_sum_of_whole_numbers_or_decimals_is_allowed(shop_project: Path, name: str, summed: str) -> None:
    assert check(shop_project, f"select {name}({summed}) / count(*) as x from {SPINE}")


@pytest.mark.parametrize(
    "text",
    [
        "select sum(p) from (select price_eur as p from {spine})",
        "with a(p) as (select price_eur from {spine}), b as (select * from a) select sum(p) from b",
        "select sum(price_eur) over (partition by channel) from {spine}",
        "select sum(price_eur) filter (where quantity > 1) from {spine}",
        "select (select sum(price_eur) from {spine}) as x",
        "select 1 as x from {spine} group by channel having sum(price_eur) > 3",
        "select 1 as x from {spine} qualify sum(price_eur) over (partition by channel) > 3",
        "select sum(x) from (values (1.5::double), (2.5)) as t(x)",
        "select 1 as x union all select sum(price_eur) from {spine}",
        "select sum(a.price_eur) from {spine} as a inner join {spine} as b using (score_date, order_id)",
        "select sum(sum(price_eur::decimal(9, 2)) / count(*)) over () from {spine} group by channel",
    ],
)
def test_a_type_is_known_through_every_part_of_a_query(shop_project: Path, text: str) -> None:
    assert message(shop_project, text.format(spine=SPINE)) == f"sum() {FLOATING}"


@pytest.mark.parametrize(
    "text",
    [
        "select price_eur as p, sum(p) over (partition by channel) as x from {spine}",
        "select (select sum(tried.quantity + r.quantity) from {spine} as r where r.score_date = tried.score_date) from {spine} as tried",
    ],
)
def test_a_sum_whose_type_cannot_be_told_is_refused(shop_project: Path, text: str) -> None:
    assert message(shop_project, text.format(spine=SPINE)) == UNTOLD


def test_the_type_of_a_column_of_a_joined_relation_is_known(shop_project: Path) -> None:
    text = "select sum(length(r.category)) as x from {} as s left join {} as r using (score_date, order_id)"
    assert check(shop_project, text.format(SPINE, RETURNS))


def test_what_is_cast_inside_of_the_call_needs_no_type(shop_project: Path) -> None:
    assert check(shop_project, f"select price_eur as p, sum(cast(p as decimal(9, 2))) over () as x from {SPINE}")


def load_checked(project: Path) -> SqlProject:
    sql = load_sql_project(project)
    refuse_unsafe_together(sql.needed_for(sql.models), sources=sql.sources, landing=sql.landing_models)
    return sql


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_type_is_known_through_other_models(shop_project: Path) -> None:
    rewrite(
        shop_project / "staging" / "stg_returns.sql",
        "products.category,",
        "products.category,\n    returns.refund_eur * 1 as refund,",
    )
    rewrite(shop_project / "features" / "category_rates.sql", "avg(is_sent_back::int)", "\navg(refund)")
    with pytest.raises(SqlRefusedError) as caught:
        load_checked(shop_project)
    assert str(caught.value) == f"features/category_rates.sql, line 5: avg() {FLOATING}"


def test_the_readers_of_a_model_that_is_computed_per_landing_see_its_clocks(shop_project: Path) -> None:
    (shop_project / "daily").mkdir()
    (shop_project / "daily" / "daily_refunds.sql").write_text(
        "select order_id, refund_eur from {{ source('returns', lookback_days=28) }}", encoding="utf-8"
    )
    entry = "{name: daily_refunds, description: Rows., grain: one row per order, computed_per: landing}"
    (shop_project / "daily" / "daily.yml").write_text(f"models:\n  - {entry}\n", encoding="utf-8")
    (shop_project / "features" / "category_rates.sql").write_text(
        """select score_date, order_id, max(cutoff_at) as cutoff_at, max(known_on) as known_on,
        avg(refund_eur) as category_return_rate_7d from {{ ref('daily_refunds') }} group by score_date, order_id""",
        encoding="utf-8",
    )
    with pytest.raises(SqlRefusedError) as caught:
        load_checked(shop_project)
    assert str(caught.value) == f"features/category_rates.sql, line 2: avg() {FLOATING}"


def test_a_model_that_duckdb_cannot_bind_is_left_to_the_run_which_says_why(shop_project: Path) -> None:
    rewrite(shop_project / "features" / "category_rates.sql", "avg(is_sent_back::int)", "sum(no_such_column)")
    assert load_checked(shop_project).features


@pytest.mark.parametrize(
    ("call", "differs"),
    [("sum(x)", True), ("avg(x)", True), ("stddev(i)", True), ("sum(i)", False), ("avg(i)", False), ("avg(d)", False), ("sum(d)", False)],
)  # fmt: skip
def test_the_order_of_rows_reaches_the_last_digit_of_floating_sums_alone(call: str, differs: bool) -> None:
    rows = "select i, i * 7919 % 1000003 / 997.0::double as x from range(200000) as t(i)"
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"create table rows_ as select i, x, x::decimal(18, 4) as d from ({rows})")
        answers = {
            connection.execute(f"select {call} from (from rows_ order by {order})").fetchall()[0][0]
            for order in ("i", "i desc", "x", "hash(i)")
        }
    assert (len(answers) > 1) is differs


def test_what_was_found_safe_is_checked_again_over_sources_of_other_types(shop_project: Path) -> None:
    text = f"select sum(quantity) as x from {SPINE}"
    assert check(shop_project, text)
    sources = shop_project / "sources.yml"
    sources.write_text(sources.read_text().replace("name: quantity, type: integer", "name: quantity, type: number"))
    assert message(shop_project, text) == f"sum() {FLOATING}"

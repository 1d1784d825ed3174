import pytest

from ml_pipeline.io.landing_models import LandingModel, compile_landing_model
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError

TABLE_OF = {
    "source__sales__28_days": "gate.landed__sales",
    "stg_sales": "gate.landing__stg_sales",
    "daily": "gate.landing__daily",
}


def compiled(sql: str) -> LandingModel:
    model = SqlModel("sums", "daily", "daily/sums.sql", sql, sql, (("sales", 28),), ())
    return compile_landing_model(model, TABLE_OF, frozenset({"daily"}))


def test_rows_are_given_their_two_clocks() -> None:
    model = compiled(
        "-- Rows.\nselect\n    shop,\n    euros // 100 as hundreds\nfrom source__sales__28_days\nwhere euros > 0"
    )
    assert model.sql == (
        "-- Rows.\nselect known_on, superseded_on,\n    shop,\n    euros // 100 as hundreds\n"
        "from gate.landed__sales as source__sales__28_days\nwhere euros > 0"
    )
    assert (model.keys, model.added_up_by, model.reads) == (None, {}, "source__sales__28_days")


@pytest.mark.parametrize(
    ("grouping", "compiled_grouping"),
    [("group by shop", "group by known_on, superseded_on, shop"), ("group by all", "group by all")],
)
def test_sums_are_grouped_by_the_clocks_too(grouping: str, compiled_grouping: str) -> None:
    model = compiled(
        f"select shop, sum(euros) as euros, count(*) filter (where euros > 9) as big from stg_sales as s {grouping}"
    )
    assert model.sql == (
        "select known_on, superseded_on, shop, sum(euros) as euros, count(*) filter (where euros > 9) as big "
        f"from gate.landing__stg_sales as s {compiled_grouping}"
    )
    assert (model.keys, model.added_up_by) == (("shop",), {"euros": "sum", "big": "sum"})


@pytest.mark.parametrize("end", ["", ";", "\n-- the end", " ;\n"])
def test_sums_over_everything_are_grouped_by_the_clocks_alone(end: str) -> None:
    model = compiled(f"select min(euros) as least, bool_or(is_new) as has_new from stg_sales{end}")
    assert model.sql == (
        "select known_on, superseded_on, min(euros) as least, bool_or(is_new) as has_new "
        "from gate.landing__stg_sales as stg_sales\ngroup by known_on, superseded_on"
    )
    assert (model.keys, model.added_up_by) == ((), {"least": "min", "has_new": "bool_or"})


def test_a_from_inside_a_function_is_not_taken_for_the_relation() -> None:
    model = compiled("select extract(year from sold_at) as sold_year from stg_sales")
    assert model.sql.endswith("extract(year from sold_at) as sold_year from gate.landing__stg_sales as stg_sales")


MOVE = "Do that in a model that is computed per night and reads this one."
SUMMABLE = "Keep to sum, count, min, max, bool_or and bool_and; divide in the model that reads this one."
ONE = "Read one source('name', lookback_days=n), or one model of rows that is computed per landing."
GROUP = "Select every column that it groups by, and no other, or write group by all."


@pytest.mark.parametrize(
    ("sql", "line", "reason", "remedy"),
    [
        ("with a as (select 1)\nselect shop from stg_sales", 1, "has a with clause", MOVE),
        ("select a.shop from stg_sales as a\njoin stg_sales as b using (shop)", 2, "has a join", MOVE),
        ("select distinct shop from stg_sales", 1, "has distinct", MOVE),
        ("select shop, sum(euros) as e from stg_sales group by shop\nhaving sum(euros) > 1", 2, "has having", MOVE),
        ("select shop from stg_sales\norder by shop\nlimit 3", 2, "has order by", MOVE),
        ("select shop,\n row_number() over (order by euros) as place from stg_sales", 2, "has a window function", MOVE),
        ("select shop from stg_sales where euros > (select avg(euros) from stg_sales)", 1, "has a subquery", MOVE),
        ("select shop from stg_sales union all select shop from stg_sales", 1, "it is not one plain select", MOVE),
        (
            "select shop,\n    known_on > score_date - 7 as is_new\nfrom stg_sales", 2,
            "names known_on, which belongs to the night that looks at it",
            "Compare with it in the model that reads this one, where known_on is a column too.",
        ),
        ("select * from stg_sales", 1, "selects *", "Name the columns."),
        ("select shop, euros + 1 from stg_sales", 1, "euros + 1 has no name", "Give it one with as."),
        ("select shop from source__shops", 1, "reads ['source__shops']", ONE),
        (
            "select shop, sum(euros) as euros\nfrom daily group by shop", 2,
            "reads the sums of daily, and sums of sums would count parts", ONE,
        ),
        ("select shop,\n avg(cents) as mean\nfrom stg_sales group by shop", 2, "AVG(cents) cannot be added up over landings", SUMMABLE),
        (
            "select shop,\n count(distinct buyer) as buyers from stg_sales group by shop", 2,
            "COUNT(DISTINCT buyer) cannot be added up over landings", SUMMABLE,
        ),
        ("select shop,\n max(euros, 2) as most from stg_sales group by shop", 2, "MAX(euros, 2) cannot be added up over landings", SUMMABLE),
        (
            "select shop,\n sum(euros) / count(*) as mean from stg_sales group by shop", 2,
            "SUM(euros) / COUNT(*) cannot be added up over landings", SUMMABLE,
        ),
        ("select sum(euros) as euros\nfrom stg_sales\ngroup by shop", 3, "groups by ['shop'] and selects [] beside the sums", GROUP),
        ("select shop, sum(euros) as euros from stg_sales", 1, "groups by [] and selects ['shop'] beside the sums", GROUP),
        (
            "select shop, town, sum(euros) as euros from stg_sales\ngroup by shop", 2,
            "groups by ['shop'] and selects ['shop', 'town'] beside the sums", GROUP,
        ),
    ],
)  # fmt: skip
def test_what_would_not_add_up_is_refused_with_its_line(sql: str, line: int, reason: str, remedy: str) -> None:
    with pytest.raises(SqlRefusedError) as caught:
        compiled(sql)
    assert str(caught.value) == f"daily/sums.sql, line {line}: sums is computed per landing, but {reason}. {remedy}"

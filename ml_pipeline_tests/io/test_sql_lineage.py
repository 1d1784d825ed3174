from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.sql_column_reads import SourceColumn
from ml_pipeline.io.sql_lineage import CALENDAR, Lineage, column_lineage, feature_lineage
from ml_pipeline.io.sql_project import SqlProject, load_sql_project
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import ROOT

NIGHT = date(2024, 4, 2)
SENT_BACK = SourceColumn("returns", "is_sent_back", 28)


def written(lineage: Lineage) -> tuple[list[str], list[str], tuple[str, ...]]:
    return (
        [f"{each.source}.{each.column}" for each in lineage.columns],
        [f"{each.source}.{each.column}" for each in lineage.filtered_by],
        lineage.models,
    )


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def daily_project(shop_project: Path) -> Path:
    """The shop with its rates made of sums that are computed once per landing."""
    (shop_project / "daily").mkdir()
    (shop_project / "daily" / "daily_returns.sql").write_text(
        "select product_code, count(*) as orders, sum(is_sent_back::int) as sent_back\n"
        "from {{ source('returns', lookback_days=28) }} group by product_code",
        encoding="utf-8",
    )
    (shop_project / "daily" / "daily.yml").write_text(
        "models:\n  - {name: daily_returns, description: Sums., grain: one row per landing night and product, "
        "computed_per: landing}\n",
        encoding="utf-8",
    )
    (shop_project / "features" / "category_rates.sql").write_text(
        """with
        rates as (
            select score_date, product_code, sum(sent_back) / sum(orders) as rate, max(known_on) as newest, max(cutoff_at) as cutoff
            from {{ ref('daily_returns') }} where known_on > score_date - 7 group by score_date, product_code
        )
        select spine.score_date, spine.order_id, rates.rate as category_return_rate_7d, rates.newest, rates.cutoff
        from {{ spine() }} as spine left join rates using (score_date, product_code)""",
        encoding="utf-8",
    )
    return shop_project


def test_a_feature_leads_through_its_models_to_source_columns_with_their_lookbacks(shop_project: Path) -> None:
    lineage = feature_lineage(load_sql_project(shop_project))["category_return_rate_7d"]
    assert lineage.columns == (SENT_BACK,)
    assert lineage.models == ("category_rates", "stg_returns")
    assert lineage.filtered_by == (
        SourceColumn("orders", "dispatch_date", 3), SourceColumn("orders", "product_code", 3),
        SourceColumn("products", "category"), SourceColumn("products", "product_code"),
        SourceColumn("returns", "known_on", 28), SourceColumn("returns", "product_code", 28), SourceColumn(CALENDAR, "score_date"),
    )  # fmt: skip


def test_every_feature_has_a_lineage_in_the_order_of_the_table_and_the_same_alone(shop_project: Path) -> None:
    sql = load_sql_project(shop_project)
    lineages = feature_lineage(sql)
    assert list(lineages) == [feature.name for feature in sql.features]
    for name, lineage in lineages.items():
        assert column_lineage(sql, lineage.model, name) == lineage
    assert feature_lineage(load_sql_project(shop_project)) == lineages


def test_a_column_read_with_two_lookbacks_has_the_longer_one(shop_project: Path) -> None:
    edit(
        shop_project / "features" / "category_rates.sql",
        "from {{ ref('stg_returns') }}",
        "from (select score_date, category, is_sent_back, is_last_7d from {{ ref('stg_returns') }} union all "
        "select score_date, '', is_sent_back, true from {{ source('returns', lookback_days=40) }})",
    )
    lineage = column_lineage(load_sql_project(shop_project), "category_rates", "category_return_rate_7d")
    assert lineage.columns == (SourceColumn("returns", "is_sent_back", 40),)


def test_personal_data_is_seen_where_a_value_is_computed_from_it_and_where_it_only_joins(shop_project: Path) -> None:
    for column in ("is_sent_back", "product_code"):
        edit(shop_project / "sources.yml", f"{{name: {column}, ", f"{{name: {column}, pii: true, ")
    lineages = feature_lineage(load_sql_project(shop_project))
    assert not lineages["channel"].has_pii
    assert lineages["product_code"].has_pii
    rate = lineages["category_return_rate_7d"]
    assert rate.has_pii and [each.is_pii for each in rate.columns] == [True]
    assert {each.column for each in rate.filtered_by if each.is_pii} == {"product_code"}
    assert not lineages["price_share"].has_pii


def test_a_model_that_is_computed_per_landing_is_followed_and_so_are_its_clocks(daily_project: Path) -> None:
    sql = load_sql_project(daily_project)
    chosen = ["orders.dispatch_date", "orders.product_code", "returns.product_code", "the calendar.score_date"]
    way = ("category_rates", "daily_returns")
    assert written(column_lineage(sql, "category_rates", "category_return_rate_7d")) == (
        ["returns.*", "returns.is_sent_back"], [*chosen[:2], "returns.known_on", *chosen[2:]], way,
    )  # fmt: skip
    assert written(column_lineage(sql, "category_rates", "newest")) == (["returns.known_on"], chosen, way)
    assert written(column_lineage(sql, "category_rates", "cutoff"))[0] == ["the calendar.cutoff_at"]
    assert written(column_lineage(sql, "daily_returns", "score_date"))[0] == ["the calendar.score_date"]


def test_every_feature_of_the_default_project_leads_to_a_source_or_to_the_calendar() -> None:
    sql = load_sql_project(ROOT / "dbt_like_sql" / "nyc_flights")
    lineages = feature_lineage(sql)
    assert len(lineages) == len(sql.features) > 100
    assert [name for name, lineage in lineages.items() if not lineage.columns] == []
    assert written(lineages["temperature_change_f_24h"])[0] == ["weather_observations.temperature_f"]
    assert written(lineages["fleet_age_years_28d"])[0] == ["aircraft.built_year", "the calendar.score_date"]


@pytest.mark.parametrize(
    ("model", "column", "expected"),
    [("nonsense", "x", "there is no model nonsense; models are ['baseline', 'category_rates', "),
     ("baseline", "x", "features/baseline.sql: baseline has no column x, only ['score_date', 'order_id', 'baseline_return_rate']")],
)  # fmt: skip
def test_what_does_not_exist_has_no_lineage(shop_project: Path, model: str, column: str, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        column_lineage(load_sql_project(shop_project), model, column)
    assert str(caught.value).startswith(expected)


def test_a_name_that_belongs_to_no_relation_is_refused_with_its_line(shop_project: Path) -> None:
    edit(shop_project / "features" / "category_rates.sql", "avg(is_sent_back::int)", "\nmax(no_such)")
    with pytest.raises(SqlRefusedError) as caught:
        feature_lineage(load_sql_project(shop_project))
    assert str(caught.value) == (
        "features/category_rates.sql, line 5: its columns cannot be followed: Column 'no_such' could not be resolved. "
        "Line: 5, Col: 11. Write each column with its relation: relation.column."
    )


def changed_features(site: Site, source: str, column: str) -> set[str]:
    """The features of NIGHT that are others once ``column`` of every landed row of ``source`` holds another value."""
    before = site.runner().build_features(NIGHT, NIGHT)
    rows = site.tables.read(f"raw/{source}", nights_between(site.calendar.first_night, NIGHT))
    position = rows.schema.get_field_index(column)
    rows = rows.set_column(position, rows.schema.field(position), other_values(rows.column(position)))
    inputs = {night: NightInputs("", {}) for night in rows["score_date"].unique().to_pylist()}
    site.tables.publish(f"raw/{source}", rows, inputs, key=[*site.sql.sources[source].key, "known_at"])
    after = site.runner().build_features(NIGHT, NIGHT)
    return {
        name
        for name in before.schema.names
        if content_hash(before.select([name])) != content_hash(after.select([name]))
    }


def other_values(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(values.type):
        return pc.invert(values)
    if pa.types.is_timestamp(values.type):
        return pc.subtract(values, pa.scalar(7_000_000, pa.duration("us"))).cast(values.type)
    if pa.types.is_string(values.type):
        # Those of the row below: the models' own tests know which texts there are.
        return values.take(pa.array([*range(1, len(values)), 0]))
    return pc.add(values, pa.scalar(1, values.type))


@pytest.mark.parametrize(
    ("source", "column"),
    [("returns", "is_sent_back"), ("returns", "refund_eur"), ("returns", "product_code"), ("products", "list_price_eur"),
     ("products", "category"), ("orders", "placed_at"), ("orders", "quantity"), ("orders", "channel"), ("orders", "price_eur")],
)  # fmt: skip
def test_a_value_that_changes_reaches_the_features_of_its_lineage_and_no_other(
    landed_shop_copy: Site, source: str, column: str
) -> None:
    def told(sql: SqlProject) -> tuple[set[str], set[str]]:
        lineages = feature_lineage(sql)
        of_value = {
            name for name, each in lineages.items() if (source, column) in {(c.source, c.column) for c in each.columns}
        }
        of_rows = {
            name
            for name, each in lineages.items()
            if (source, column) in {(c.source, c.column) for c in each.filtered_by}
        }
        return of_value, of_value | of_rows

    of_value, possible = told(landed_shop_copy.sql)
    changed = changed_features(landed_shop_copy, source, column)
    assert of_value <= changed <= possible

from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.io.sql_project import load_sql_project
from ml_pipeline.operations.data_assets import data_assets, outcome_sources
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.processes import ROOT


def test_scores_features_of_the_champion_and_what_labels_are_made_from_are_judged(scored_shop: Site) -> None:
    bundle = read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    scores, features, returns = data_assets(scored_shop, bundle)
    assert (scores.table, features.table, returns.table) == (
        "scores",
        features_table(bundle.feature_set),
        "raw/returns",
    )
    assert (scores.least_rows, features.least_rows, returns.least_rows) == (1, 1, 0)
    assert set(features.columns) == {feature.name for feature in scored_shop.sql.features}
    assert set(returns.columns) == {"product_code", "is_sent_back", "refund_eur"}
    assert scores.ranges["probability"] == (0.0, 1.0)
    for asset in (scores, features, returns):
        assert set(asset.measured) >= {*asset.columns, *asset.never_missing, *asset.ranges}
        assert set(asset.measured) <= set(scored_shop.tables.schema(asset.table).names)


def test_references_are_no_outcomes(shop_site: Site) -> None:
    assert outcome_sources(load_sql_project(ROOT / "dbt_like_sql" / "nyc_flights")) == ["outcomes"]
    assert outcome_sources(shop_site.sql) == ["returns"]

from ml_pipeline.defs.lineage import column_lineage, declared_tests
from ml_pipeline.io.sql_project import SqlProject
from ml_pipeline.operations.site import Site


def counted_by_hand(sql: SqlProject) -> int:
    return sum(
        len(sql.contracts[model.name].tests) + sum(len(column.tests) for column in sql.contracts[model.name].columns)
        for model in sql.feature_models
    )


def test_every_feature_leads_to_columns_of_raw_assets(landed_shop: Site) -> None:
    lineage = column_lineage(landed_shop.sql).deps_by_column
    assert list(lineage) == [feature.name for feature in landed_shop.sql.features]
    reads = {(dep.asset_key.to_user_string(), dep.column_name) for dep in lineage["product_return_rate_28d"]}
    assert ("raw/returns", "is_sent_back") in reads
    assert all(dep.asset_key.path[0] == "raw" for deps in lineage.values() for dep in deps)


def test_declared_tests_are_counted(landed_shop: Site) -> None:
    assert declared_tests(landed_shop.sql) == counted_by_hand(landed_shop.sql) > 10

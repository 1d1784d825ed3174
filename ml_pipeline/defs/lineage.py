"""Where features come from, as the UI shows it: columns of sources, and the tests that their models pass."""

import dagster as dg

from ml_pipeline.io.sql_lineage import CALENDAR, feature_lineage
from ml_pipeline.io.sql_project import SqlProject


def column_lineage(sql: SqlProject) -> dg.TableColumnLineage:
    """Each feature with the source columns that its value is computed from."""
    return dg.TableColumnLineage({
        feature: [
            dg.TableColumnDep(dg.AssetKey(["raw", read.source]), read.column)
            for read in lineage.columns
            if read.source != CALENDAR
        ]
        for feature, lineage in feature_lineage(sql).items()
    })  # fmt: skip


def declared_tests(sql: SqlProject) -> int:
    """How many tests the YAML declares for the models that features are built from."""
    contracts = [sql.contracts[model.name] for model in sql.feature_models]
    return sum(len(contract.tests) + sum(len(column.tests) for column in contract.columns) for contract in contracts)

"""Assets that build models from landed rows: the features of a night, and the labels that it learned."""

import dagster as dg

from ml_pipeline.defs.audits import FEATURE_AUDITS, audit_specs, audited
from ml_pipeline.defs.lineage import column_lineage, declared_tests
from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, column_schema, entity_columns, same_night, sql_project
from ml_pipeline.defs.reporting import (
    Report,
    nights_of,
    published_facts,
    report_nights,
    row_counts,
    run_or_refuse,
)
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.operations.build import LABELS, build_features, build_labels
from ml_pipeline.operations.site import features_table


def _deps(models: tuple[str, ...]) -> list[dg.AssetDep]:
    project = sql_project()
    return same_night(*(f"raw/{source}" for source in project.lookbacks(project.needed_for(models))))


_PROJECT = sql_project()
_FEATURE_COLUMNS = entity_columns() + [
    (feature.name, "varchar" if feature.type == "category" else "double",
     f"{feature.description} Window: {feature.window}; unit: {feature.unit}.{' Personal data.' if feature.pii else ''}")
    for feature in _PROJECT.features
]  # fmt: skip


_LABEL_COLUMNS = [
    *entity_columns(),
    ("labelled_date", "date", "The night that the label is about."),
    ("label_known_at", "timestamp", "When it became known (UTC)."),
    ("label", "boolean", _PROJECT.contracts[_PROJECT.project.label.model].description),
]


@dg.asset(
    deps=_deps(tuple(model.name for model in _PROJECT.feature_models)), partitions_def=NIGHTS,
    backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="features", kinds={"duckdb", "deltalake"},
    owners=[_PROJECT.project.owner], pool="building", code_version=_PROJECT.feature_set_version,
    metadata={"dagster/column_schema": column_schema(_FEATURE_COLUMNS)},
    check_specs=audit_specs("features", FEATURE_AUDITS),
)  # fmt: skip
def features(context: dg.AssetExecutionContext, site: SiteResource) -> Report:
    """One row per row of the spine: what the night knew at its cutoff, and nothing later."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    published = run_or_refuse(lambda: build_features(here, nights))
    built = here.tables.published(features_table(here.sql), nights)
    report_nights(context, published, row_counts({night: built[night].rows for night in nights}))
    yield from audited(here, FEATURE_AUDITS, nights, "features")
    yield dg.MaterializeResult(metadata={
        **published_facts(published), "feature_set_version": here.sql.feature_set_version,
        "model_tests": declared_tests(here.sql), "dagster/column_lineage": column_lineage(here.sql),
    })  # fmt: skip


@dg.asset(
    deps=_deps((_PROJECT.project.label.model,)), partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY,
    group_name="features", kinds={"duckdb", "deltalake"}, owners=[_PROJECT.project.owner], pool="building",
    code_version="1", metadata={"dagster/column_schema": column_schema(_LABEL_COLUMNS)},
)  # fmt: skip
def labels(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The outcomes that became known to the night, one row per row of the spine of an earlier night."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    published = run_or_refuse(lambda: build_labels(here, nights))
    built = here.tables.published(LABELS, nights)
    report_nights(context, published, row_counts({night: built[night].rows for night in nights}))
    return dg.MaterializeResult(metadata=published_facts(published))

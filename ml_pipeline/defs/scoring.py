"""The asset that analysts wait for: the scores of the night."""

import dagster as dg

from ml_pipeline.contracts import column_descriptions
from ml_pipeline.contracts.tables import scores_schema
from ml_pipeline.defs.audits import SCORE_AUDITS, audit_specs, audited
from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, column_schema, entity_columns, same_night, sql_project
from ml_pipeline.defs.reporting import REFUSALS, Report, nights_of, passed, published_facts, refused, report_nights
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.operations.score import SCORES, score

FIT_TO_PUBLISH = "fit_to_publish"

_DESCRIPTIONS = column_descriptions.SCORES
_COLUMNS = entity_columns() + [
    (field.name, str(field.type), _DESCRIPTIONS[field.name])
    for field in scores_schema([])
    if field.name in _DESCRIPTIONS
]


@dg.asset(
    deps=same_night("features", "promotion"), partitions_def=NIGHTS,
    backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="scoring", kinds={"lightgbm", "deltalake"},
    owners=[sql_project().project.owner], pool="publishing", code_version="1",
    metadata={"dagster/column_schema": column_schema(_COLUMNS)},
    check_specs=[
        dg.AssetCheckSpec(FIT_TO_PUBLISH, asset=SCORES, blocking=True, description=(
            "As many rows as the spine, keys unique, probabilities in [0, 1] and not all alike; else nothing is published."
        )),
        *audit_specs(SCORES, SCORE_AUDITS),
    ],
)  # fmt: skip
def scores(context: dg.AssetExecutionContext, site: SiteResource) -> Report:
    """One calibrated probability per row of the spine, by the champion of the night, published in one commit."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    try:
        outcome = score(here, nights)
    except REFUSALS as error:
        check, failure = refused(FIT_TO_PUBLISH, error)
        yield check
        raise failure from error
    published = here.tables.published(SCORES, nights)
    report_nights(context, outcome.published, {
        night: {"dagster/row_count": published[night].rows, "model_version": outcome.version_by_night[night],
                "content_hash": published[night].content_hash}
        for night in nights
    })  # fmt: skip
    yield passed(FIT_TO_PUBLISH, nights_audited=len(outcome.audits), rows=outcome.published.rows)
    yield from audited(here, SCORE_AUDITS, nights, SCORES)
    yield dg.MaterializeResult(metadata=published_facts(outcome.published))

"""The assets that analysts wait for: the scores of the night, and what models in the shadow would have said."""

from collections import Counter
from enum import Enum
from typing import get_args

import dagster as dg
from pydantic import Field

from ml_pipeline.contracts import column_descriptions
from ml_pipeline.contracts.serving import SHADOW_SCORES, ServingPolicy, ShadowRole
from ml_pipeline.contracts.tables import scores_schema
from ml_pipeline.defs.audits import SCORE_AUDITS, audit_specs, audited
from ml_pipeline.defs.freshness import NIGHTLY_FRESHNESS
from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, column_schema, entity_columns, same_night, sql_project
from ml_pipeline.defs.reporting import (
    REFUSALS,
    Report,
    nights_of,
    passed,
    published_facts,
    refused,
    report_nights,
    run_or_refuse,
)
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.run_tags import MODEL_VERSION, tag_run
from ml_pipeline.nights import Night
from ml_pipeline.operations.score import SCORES, ScoredNights, score
from ml_pipeline.operations.shadow import score_in_the_shadow
from ml_pipeline.operations.unseen_categories import unseen_counts

FIT_TO_PUBLISH = "fit_to_publish"
# Metadata: rows by column with a category that the training of their model did not see.
UNSEEN = "rows_of_unseen_categories"

_DESCRIPTIONS = column_descriptions.SCORES
_COLUMNS = entity_columns() + [
    (field.name, str(field.type), _DESCRIPTIONS[field.name])
    for field in scores_schema([])
    if field.name in _DESCRIPTIONS
]


class Policy(Enum):
    """Which model a night is given."""

    as_of = "as_of"
    current = "current"
    pinned = "pinned"


class ScoringConfig(dg.Config):
    """What the launchpad asks of a scoring."""

    policy: Policy = Field(Policy.as_of, description=(
        "as_of: the champion of the night. current: the present champion, also for old nights. pinned: the version below. "
        "Resolved once, for every run of a backfill. It stands on each row."
    ))  # fmt: skip
    version: str | None = Field(None, description="The version of the bundle, for policy pinned.")
    replace_published: bool = Field(False, description=(
        "Also nights that are published under another policy, or were restored by hand. Otherwise they are left alone."
    ))  # fmt: skip

    @property
    def serving_policy(self) -> ServingPolicy:
        return ServingPolicy(self.policy.value, self.version)


@dg.asset(
    deps=same_night("features", "promotion"), partitions_def=NIGHTS,
    backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="scoring", kinds={"lightgbm", "deltalake"},
    owners=[sql_project().project.owner], pool="publishing", code_version="1",
    freshness_policy=NIGHTLY_FRESHNESS, metadata={"dagster/column_schema": column_schema(_COLUMNS)},
    check_specs=[
        dg.AssetCheckSpec(FIT_TO_PUBLISH, asset=SCORES, blocking=True, description=(
            "As many rows as the spine, keys unique and none that it lacks, probabilities in [0, 1] and not all alike, the "
            "night not unlike all nights before it; else nothing is published."
        )),
        *audit_specs(SCORES, SCORE_AUDITS),
    ],
)  # fmt: skip
def scores(context: dg.AssetExecutionContext, config: ScoringConfig, site: SiteResource) -> Report:
    """One calibrated probability per row of the spine, by the champion of the night, published in one commit."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    try:
        outcome = score(
            here, nights, policy=config.serving_policy, replaces=config.replace_published,
            backfill=context.run.tags.get("dagster/backfill"),
        )  # fmt: skip
    except REFUSALS as error:
        check, failure = refused(FIT_TO_PUBLISH, error)
        yield check
        raise failure from error
    published = here.tables.published(SCORES, nights)
    report_nights(context, outcome.published, {
        night: {"dagster/row_count": published[night].rows, "content_hash": published[night].content_hash,
                UNSEEN: unseen_counts(published[night].facts), **_answered(outcome, night)}
        for night in nights
    })  # fmt: skip
    yield passed(FIT_TO_PUBLISH, nights_audited=len(outcome.audits), rows=outcome.published.rows)
    yield from audited(here, SCORE_AUDITS, nights, SCORES)
    versions = sorted({served.version for served in outcome.served_by_night.values()})
    tag_run(context, {MODEL_VERSION: ", ".join(versions)})
    fallen = {f"{fall.rung} {fall.version}": fall.reason for fall in outcome.falls}
    unseen = Counter[str]()
    for entry in published.values():
        unseen.update(unseen_counts(entry.facts))
    yield dg.MaterializeResult(metadata={**published_facts(outcome.published), "fallen": fallen, UNSEEN: dict(unseen)})


def _answered(outcome: ScoredNights, night: Night) -> dict[str, str]:
    """Who answered the night, and why it was left alone if it was."""
    served = outcome.served_by_night[night]
    facts = {"model_version": served.version, "served_by": served.rung, "backfill_policy": served.policy}
    return facts | ({"left_alone": outcome.settled[night]} if night in outcome.settled else {})


@dg.asset(
    deps=same_night("features", "promotion"), partitions_def=NIGHTS,
    backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="scoring", kinds={"lightgbm", "deltalake"},
    owners=[sql_project().project.owner], pool="publishing", code_version="1",
    metadata={"dagster/column_schema": column_schema(_COLUMNS)},
)  # fmt: skip
def shadow_scores(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult[None]:
    """What a refused challenger, and a fresh champion's predecessor, say of the night: compared once outcomes are known."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    outcome = run_or_refuse(lambda: score_in_the_shadow(here, nights))
    published = here.tables.published(SHADOW_SCORES, nights)
    report_nights(context, outcome.published, {
        night: {"dagster/row_count": published[night].rows if night in published else 0,
                **dict.fromkeys(get_args(ShadowRole), "none"),
                **{lane.role: lane.version for lane in outcome.lanes_by_night.get(night, ())}}
        for night in nights
    })  # fmt: skip
    return dg.MaterializeResult(metadata={**published_facts(outcome.published), "failed": dict(outcome.failed)})

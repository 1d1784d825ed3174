"""The views that say what was ever said: every revision of a score, and row by row what a restatement changed."""

import pyarrow as pa

from ml_pipeline.contracts.serving import SCORES, SHADOW_SCORES
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.catalog import View, files_select, identifier, quoted
from ml_pipeline.operations.site import Site

_COMPARED = ("probability", "decision", "rank", "model_version", "served_by", "backfill_policy")


def score_views(site: Site, schema: pa.Schema) -> list[View]:
    """``score_revisions``, ``score_restatements`` and ``shadow_scores``; ``schema`` is that of the scores."""
    key = [name for name in schema.names if name in (SCORE_DATE, *site.project.entity_key)]
    shadow = files_select(site.tables.files(SHADOW_SCORES), schema)
    return [
        _revisions(site, schema),
        View(
            "score_restatements", _restatements(key), "Rows of a night that a later revision changed: before and after."
        ),
        View("shadow_scores", shadow, "What the challenger said of the nights that it scored in the shadow."),
    ]


def _revisions(site: Site, schema: pa.Schema) -> View:
    """All that was ever said: each file of the log with the revision that published it, and when that was."""
    selects = []
    for revision in site.tables.revisions(SCORES):
        instant = quoted(revision.committed_at.isoformat()) if revision.committed_at else "null"
        rows = files_select(list(revision.files), schema)
        selects.append(
            f"select {revision.version} as revision, {instant}::timestamptz as published_at, * from ({rows})"
        )
    nothing = f"select 0::bigint as revision, null::timestamptz as published_at, * from ({files_select([], schema)})"
    return View(
        "score_revisions", " union all ".join(selects) or nothing,
        "Every row ever published to scores, by the revision that published it, and when.",
    )  # fmt: skip


def _restatements(key: list[str]) -> str:
    named = ", ".join(map(identifier, key))
    values = ", ".join(f"earlier.{name} as {name}_before, later.{name} as {name}_after" for name in _COMPARED)
    differs = " or ".join(f"earlier.{name} is distinct from later.{name}" for name in _COMPARED)
    return f"""
with night_revisions as (select distinct {SCORE_DATE}, revision, published_at from score_revisions),
steps as (
    select *, lag(revision) over (partition by {SCORE_DATE} order by revision) as revision_before from night_revisions
    qualify revision_before is not null
),
earlier as (
    select steps.revision as step, steps.revision_before as step_before, steps.published_at as step_at, rows.*
    from steps inner join score_revisions as rows
    on steps.{SCORE_DATE} = rows.{SCORE_DATE} and steps.revision_before = rows.revision
),
later as (
    select steps.revision as step, steps.revision_before as step_before, steps.published_at as step_at, rows.*
    from steps inner join score_revisions as rows
    on steps.{SCORE_DATE} = rows.{SCORE_DATE} and steps.revision = rows.revision
)
select
    {named}, step as revision, coalesce(earlier.step_before, later.step_before) as revision_before,
    coalesce(earlier.step_at, later.step_at) as published_at,
    case when earlier.revision is null then 'added' when later.revision is null then 'removed' else 'changed' end as change,
    {values}
from earlier full join later using (step, {named})
where {differs}
"""

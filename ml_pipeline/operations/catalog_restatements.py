"""The view that says, row by row, what a later revision of a night changed."""

from collections.abc import Mapping

from ml_pipeline.contracts.column_descriptions import described
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.catalog import View, identifier
from ml_pipeline.operations.site import Site

_COMPARED = ("probability", "decision", "rank", "model_version", "served_by", "backfill_policy")


def restatements_view(site: Site, key_words: Mapping[str, str]) -> View:
    """``score_restatements``, over ``score_revisions``: the rows of a night before and after, where they differ."""
    body = _restatements([SCORE_DATE, *site.project.entity_key])
    columns = (
        "revision",
        "revision_before",
        "published_at",
        "change",
        *(f"{name}_{when}" for name in _COMPARED for when in ("before", "after")),
    )
    words = described((SCORE_DATE, *columns)) | {name: key_words[name] for name in site.project.entity_key}
    return View("score_restatements", body, "Rows of a night that a later revision changed: before and after.", words)


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

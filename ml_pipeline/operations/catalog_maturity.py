"""The view that says of each scored night whether its labels have landed."""

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.catalog import View, identifier
from ml_pipeline.operations.site import Site

_LABELS = "labels"
_COLUMNS = {
    SCORE_DATE: "The night that was scored.",
    "state": "pending: no label is known; matured: its horizon is over and all but stragglers are known; else partly_matured.",
    "rows_scored": "Rows that were scored.",
    "rows_known": "Rows whose label is known.",
    "coverage": "Share of the scored rows whose label is known.",
    "rows_reopened": "Rows whose label came or was corrected after the horizon: nights that judge later use it.",
}


def maturity_view(site: Site) -> View:
    """``label_maturity``, over ``scores`` and ``labels``, by the rule of ``domain.maturity``, as of the newest label night."""
    newest = max(site.tables.published(_LABELS), default=None)
    body = _maturity(site, "null::date" if newest is None else f"date '{newest}'")
    return View("label_maturity", body, "Whether the labels of each scored night have landed, and how many.", _COLUMNS)


def _maturity(site: Site, tonight: str) -> str:
    label = site.project.label
    same = " and ".join(f"said.{identifier(name)} = labels.{identifier(name)}" for name in site.project.entity_key)
    return f"""
with known as (
    select
        said.{SCORE_DATE}, count(*) as rows_scored, count(labels.label) as rows_known,
        count(*) filter (where labels.known_on > said.{SCORE_DATE} + {label.horizon_nights}) as rows_reopened
    from scores as said left join labels on said.{SCORE_DATE} = labels.labelled_date and {same}
    group by said.{SCORE_DATE}
)
select
    {SCORE_DATE},
    case
        when rows_known = 0 then 'pending'
        when {SCORE_DATE} + {label.horizon_nights} <= {tonight}
            and rows_scored - rows_known <= {label.max_untimely_share} * rows_scored then 'matured'
        else 'partly_matured'
    end as state,
    rows_scored, rows_known, rows_known / rows_scored as coverage, rows_reopened
from known
order by {SCORE_DATE}
"""

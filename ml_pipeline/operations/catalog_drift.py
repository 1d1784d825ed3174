"""The view that holds Evidently's verdicts and our own side by side."""

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.catalog import View
from ml_pipeline.operations.site import Site

_COLUMNS = {
    SCORE_DATE: "The night that has a report by Evidently.",
    "model_version": "The model whose training rows are compared with.",
    "features_compared": "Features that both measured: those that the model gains most from.",
    "drifted_by_our_index": "Those of them whose index lies above the project's limit by our own numbers, of all rows.",
    "drifted_by_evidently": "The same by Evidently's, of its sample.",
    "features_agreed": "Those on which both lie on the same side of the limit.",
    "agreement_share": "Share of the compared features on which both agree.",
    "largest_difference": "The largest distance between the two indices of a feature.",
}


def drift_agreement_view(site: Site) -> View:
    """``drift_agreement``, over ``drift``: one row for each night with a report by Evidently."""
    limit = site.project.monitoring.psi_limit
    body = f"""
select
    {SCORE_DATE}, model_version, count(*) as features_compared,
    count(*) filter (where psi > {limit}) as drifted_by_our_index,
    count(*) filter (where evidently_psi > {limit}) as drifted_by_evidently,
    count(*) filter (where agrees_with_evidently) as features_agreed,
    count(*) filter (where agrees_with_evidently) / count(*) as agreement_share,
    max(abs(psi - evidently_psi)) as largest_difference
from drift
where evidently_psi is not null
group by {SCORE_DATE}, model_version
order by {SCORE_DATE}
"""
    return View(
        "drift_agreement", body, "How far Evidently's verdicts and our own agree, by night with a report.", _COLUMNS
    )

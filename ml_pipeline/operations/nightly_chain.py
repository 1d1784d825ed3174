"""What a night does once its features and labels are there: score, judge, watch, decide. The order of the nightly job."""

from collections.abc import Sequence

from ml_pipeline.nights import Night
from ml_pipeline.operations.decide import decide_retraining
from ml_pipeline.operations.estimate import estimate_performance_of
from ml_pipeline.operations.expect import judge_expectations
from ml_pipeline.operations.mature import measure_performance
from ml_pipeline.operations.matured_calibration import measure_matured_calibration
from ml_pipeline.operations.replay_watch import Watch
from ml_pipeline.operations.score import score
from ml_pipeline.operations.shadow import score_in_the_shadow
from ml_pipeline.operations.shadow_review import review_shadow
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.watch_predictions import measure_prediction_drift


def run_nights(site: Site, nights: Sequence[Night], watch: Watch) -> None:
    """Score ``nights``, judge what they matured, watch them, review the shadow and decide on them.

    Together they give what they would have given one after the other, as long as nothing that was decided on an earlier one
    of them changes who serves a later one. Drift reads features and promotions only, so that ``watch`` may run beside.
    """
    watched = watch(nights)
    score(site, nights)
    score_in_the_shadow(site, nights)
    measure_performance(site, nights)
    measure_matured_calibration(site, nights)
    estimate_performance_of(site, nights)
    measure_prediction_drift(site, nights)
    judge_expectations(site, nights)
    watched()
    review_shadow(site, nights)
    decide_retraining(site, nights)

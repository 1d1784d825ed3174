"""Says that tonight's scores are missing: what does not run raises no alert of its own."""

from datetime import UTC, date, datetime

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorStatus, ScheduleInstigatorData

from ml_pipeline.defs.freshness import GRACE, evening_of, night_of
from ml_pipeline.defs.project import settings
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.schedules import nightly
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.operations.score import SCORES

_SCORES = dg.AssetKey(SCORES)


@dg.sensor(minimum_interval_seconds=settings().sensor_seconds, default_status=dg.DefaultSensorStatus.RUNNING)
def overdue_scores(context: dg.SensorEvaluationContext, site: SiteResource) -> dg.SkipReason:
    """Raises an alert for each evening on which the schedule was on and the freshness of ``scores`` fails."""
    evening = evening_of(datetime.now(UTC) - GRACE)
    since = _on_since(context.instance)
    if since is None or evening_of(since) >= evening:
        return dg.SkipReason(
            f"the schedule was off at the tick of {evening}: scores are made when somebody asks for them"
        )
    record = context.instance.get_freshness_state_records([_SCORES]).get(_SCORES)
    if record is None or record.freshness_state != FreshnessState.FAIL:
        return dg.SkipReason(f"scores: {record.freshness_state.value if record else 'not judged yet'}")
    return _raise(site, context, evening)


def _raise(site: SiteResource, context: dg.SensorEvaluationContext, evening: date) -> dg.SkipReason:
    night = str(night_of(evening))
    raise_alert(
        site.open(context.log.info).ledger("alerts"), severity="blocking", title="scores are overdue", night=night,
        detail=f"nothing was materialised as {SCORES} since the tick of {evening}", key=f"overdue_{evening}",
    )  # fmt: skip
    return dg.SkipReason(f"scores of night {night} are overdue")


def _on_since(instance: dg.DagsterInstance) -> datetime | None:
    """When the schedule was turned on, None if it is off."""
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        data = state.instigator_data
        if (
            state.name == nightly.name
            and state.status == InstigatorStatus.RUNNING
            and isinstance(data, ScheduleInstigatorData)
        ):
            return datetime.fromtimestamp(data.start_timestamp or 0.0, UTC)
    return None

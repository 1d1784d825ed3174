"""The nightly schedule: five minutes after the cutoff, the night whose cutoff it was."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from ml_pipeline.defs.jobs import nightly_scoring
from ml_pipeline.defs.project import sql_project
from ml_pipeline.nights import nights_back, replayed_night

_PROJECT = sql_project().project
_DELAY = timedelta(minutes=5)
_AFTER_CUTOFF = (datetime.combine(_PROJECT.first_night, _PROJECT.cutoff.time) + _DELAY).time()


@dg.schedule(
    job=nightly_scoring,
    cron_schedule=f"{_AFTER_CUTOFF.minute} {_AFTER_CUTOFF.hour} * * *",
    execution_timezone=_PROJECT.timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One night, as soon as its cutoff has passed. In a replay, tonight stands for the same day of the replayed year."""
    fired_at = context.scheduled_execution_time.astimezone(UTC)
    # The day of the cutoff, not of the tick: five minutes after 23:58 it is tomorrow.
    today = (fired_at - _DELAY).astimezone(ZoneInfo(_PROJECT.timezone)).date()
    night = replayed_night(nights_back(today, -_PROJECT.cutoff.days_before), _PROJECT.replay_year)
    if _PROJECT.last_night is not None and night > _PROJECT.last_night:
        return dg.SkipReason(f"{night} lies after the last night, {_PROJECT.last_night}")
    return dg.RunRequest(run_key=f"{today}", partition_key=str(night), tags={"night": str(night)})

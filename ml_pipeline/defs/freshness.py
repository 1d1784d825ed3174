"""When tonight's run is due, and from when on its tables are overdue: by the clock on the wall, also in a replay."""

from datetime import datetime, timedelta

import dagster as dg

from ml_pipeline.defs.project import settings, sql_project

_PROJECT = sql_project().project
DELAY = timedelta(minutes=settings().nightly_delay_minutes)
# Twice the time limit of the nightly job.
_GRACE = timedelta(hours=1)


def _daily(after_cutoff: timedelta) -> str:
    instant = datetime.combine(_PROJECT.first_night, _PROJECT.cutoff.time) + after_cutoff
    return f"{instant.minute} {instant.hour} * * *"


NIGHTLY_CRON = _daily(DELAY)

# What was materialised before tonight's tick is yesterday's answer.
NIGHTLY_FRESHNESS = dg.FreshnessPolicy.cron(
    deadline_cron=_daily(DELAY + _GRACE), lower_bound_delta=_GRACE, timezone=_PROJECT.timezone
)

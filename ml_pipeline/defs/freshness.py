"""When tonight's run is due, and from when on its tables are overdue: by the clock on the wall, also in a replay."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from ml_pipeline.defs.project import settings, sql_project
from ml_pipeline.nights import Night, nights_back, replayed_night

_PROJECT = sql_project().project
DELAY = timedelta(minutes=settings().nightly_delay_minutes)
# Twice the time limit of the nightly job.
GRACE = timedelta(hours=1)


def _daily(after_cutoff: timedelta) -> str:
    instant = datetime.combine(_PROJECT.first_night, _PROJECT.cutoff.time) + after_cutoff
    return f"{instant.minute} {instant.hour} * * *"


NIGHTLY_CRON = _daily(DELAY)

# What was materialised before tonight's tick is yesterday's answer.
NIGHTLY_FRESHNESS = dg.FreshnessPolicy.cron(
    deadline_cron=_daily(DELAY + GRACE), lower_bound_delta=GRACE, timezone=_PROJECT.timezone
)


def evening_of(instant: datetime) -> date:
    """The day of the newest cutoff whose tick is not after ``instant``, by the project's clock."""
    local = instant.astimezone(ZoneInfo(_PROJECT.timezone)).replace(tzinfo=None)
    cutoff = _PROJECT.cutoff.time
    return (local - DELAY - timedelta(hours=cutoff.hour, minutes=cutoff.minute, seconds=cutoff.second)).date()


def night_of(evening: date) -> Night:
    """The night that is run on ``evening``; in a replay, that of the same day of the replayed year."""
    return replayed_night(nights_back(evening, -_PROJECT.cutoff.days_before), _PROJECT.replay_year)

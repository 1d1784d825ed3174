"""The nightly schedule: minutes after the cutoff, the night whose cutoff it was, after those that were left out."""

from datetime import date
from pathlib import Path

import dagster as dg

from ml_pipeline.defs.freshness import NIGHTLY_CRON, evening_of, night_of
from ml_pipeline.defs.instance import IN_ORDER
from ml_pipeline.defs.jobs import nightly_scoring
from ml_pipeline.defs.project import sql_project
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.run_tags import NIGHT, in_words
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import Night, contiguous_runs
from ml_pipeline.operations.missed_nights import nights_to_run

_PROJECT = sql_project().project
# One run for a week of nights: few starts, and a night that is refused holds up no more than its week.
_NIGHTS_A_RUN = 7


@dg.schedule(
    job=nightly_scoring,
    cron_schedule=NIGHTLY_CRON,
    execution_timezone=_PROJECT.timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def nightly(context: dg.ScheduleEvaluationContext, site: SiteResource) -> list[dg.RunRequest] | dg.SkipReason:
    """One night, as soon as its cutoff has passed. In a replay, tonight stands for the same day of the replayed year.

    After a time in which nothing ran, Dagster tells of the newest tick only; so each tick asks for what is missing.
    """
    # The day of the cutoff, not of the tick: five minutes after 23:58 it is tomorrow.
    today = evening_of(context.scheduled_execution_time)
    night = night_of(today)
    if _PROJECT.last_night is not None and night > _PROJECT.last_night:
        return dg.SkipReason(f"{night} lies after the last night, {_PROJECT.last_night}")
    nights = nights_to_run(TableStore(Path(site.data)), night)
    return [_request(today, first, last) for first, last in contiguous_runs(nights, longest=_NIGHTS_A_RUN)]


def _request(today: date, first: Night, last: Night) -> dg.RunRequest:
    run_key = f"{today} from {first}"
    if first == last:
        return dg.RunRequest(run_key, partition_key=str(first), tags={NIGHT: str(first), **IN_ORDER})
    ends = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
    return dg.RunRequest(run_key, tags={NIGHT: in_words([str(first), str(last)]), **ends, **IN_ORDER})

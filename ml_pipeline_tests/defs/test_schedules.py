from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from ml_pipeline.defs.project import sql_project
from ml_pipeline.defs.schedules import nightly
from ml_pipeline_tests.processes import run_python

NEW_YORK = ZoneInfo("America/New_York")


def tick(instant: datetime) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(scheduled_execution_time=instant)
    answer = nightly(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


def test_it_fires_five_minutes_after_the_cutoff_of_the_project() -> None:
    assert (nightly.cron_schedule, nightly.execution_timezone) == ("5 20 * * *", "America/New_York")
    assert nightly.job_name == "nightly_scoring"


@pytest.mark.parametrize(
    ("today", "night"),
    [
        (date(2026, 11, 21), "2013-11-22"), (date(2026, 3, 7), "2013-03-08"), (date(2026, 3, 8), "2013-03-09"),
        (date(2026, 10, 31), "2013-11-01"), (date(2026, 12, 31), "2013-01-01"), (date(2028, 2, 28), "2013-02-28"),
    ],
)  # fmt: skip
def test_a_tick_asks_for_the_night_whose_cutoff_has_just_passed(today: date, night: str) -> None:
    fired_at = datetime(today.year, today.month, today.day, 20, 5, tzinfo=NEW_YORK)
    for instant in (fired_at, fired_at.astimezone(UTC), fired_at.astimezone(ZoneInfo("Asia/Kolkata"))):
        request = tick(instant)
        assert isinstance(request, dg.RunRequest)
        assert (request.partition_key, request.run_key, request.tags["night"]) == (night, str(today), night)
    replayed = sql_project().project.calendar().cutoff(date.fromisoformat(night))
    assert replayed.astimezone(NEW_YORK).hour == 20


def test_the_same_evening_has_one_run_key_and_two_evenings_have_two() -> None:
    keys = [tick(datetime(2026, 11, day, 20, 5, tzinfo=NEW_YORK)) for day in (21, 21, 22)]
    assert [request.run_key for request in keys if isinstance(request, dg.RunRequest)] == [
        "2026-11-21",
        "2026-11-21",
        "2026-11-22",
    ]


LATE_CUTOFF = """
from datetime import datetime
from zoneinfo import ZoneInfo
import dagster as dg
from ml_pipeline.defs.schedules import nightly
minute, hour = nightly.cron_schedule.split()[:2]
# The first tick after the cutoff of the night 2024-05-10, which is 23:58 on the evening before.
day = 9 if int(hour) > 12 else 10
fired_at = datetime(2024, 5, day, int(hour), int(minute), tzinfo=ZoneInfo("Europe/Berlin"))
print(nightly(dg.build_schedule_context(scheduled_execution_time=fired_at)).partition_key)
"""


def test_a_cutoff_shortly_before_midnight_still_names_its_own_night(shop_project: Path) -> None:
    path = shop_project / "project.yml"
    path.write_text(path.read_text(encoding="utf-8").replace('time: "20:00"', 'time: "23:58"'), encoding="utf-8")
    assert run_python(LATE_CUTOFF, environment={"ML_PIPELINE_PROJECT": str(shop_project)}) == "2024-05-10"

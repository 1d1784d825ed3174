from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa
import pytest
import yaml

from ml_pipeline.contracts.tables import DECISION_SCHEMA
from ml_pipeline.defs.project import sql_project
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.schedules import nightly
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.operations.decide import DECISIONS
from ml_pipeline_tests.processes import ROOT, run_python

NEW_YORK = ZoneInfo("America/New_York")


def ticked(data: Path, instant: datetime) -> list[dg.RunRequest]:
    site = SiteResource(project_folder="", data=str(data), tracking_uri="", threads=1)
    with dg.build_schedule_context(scheduled_execution_time=instant, resources={"site": site}) as context:
        answer = nightly(context)
    assert isinstance(answer, list)
    return answer


def tick(data: Path, instant: datetime) -> dg.RunRequest:
    (request,) = ticked(data, instant)
    return request


def finish(data: Path, nights: list[date]) -> None:
    rows = [
        {
            "score_date": night,
            "model_version": "m",
            "drifted_share": 0.0,
            "verdict": "nothing",
            "evidence_id": "",
            "reasons": "",
        }
        for night in nights
    ]
    inputs = {night: NightInputs("", {}) for night in nights}
    TableStore(data).publish(DECISIONS, pa.Table.from_pylist(rows, DECISION_SCHEMA), inputs, key=["model_version"])


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
def test_a_tick_asks_for_the_night_whose_cutoff_has_just_passed(today: date, night: str, tmp_path: Path) -> None:
    fired_at = datetime(today.year, today.month, today.day, 20, 5, tzinfo=NEW_YORK)
    for instant in (fired_at, fired_at.astimezone(UTC), fired_at.astimezone(ZoneInfo("Asia/Kolkata"))):
        request = tick(tmp_path, instant)
        assert (request.partition_key, request.run_key) == (night, f"{today} from {night}")
        assert request.tags == {"night": night, "ml_pipeline/nightly": "in_order"}
    replayed = sql_project().project.calendar().cutoff(date.fromisoformat(night))
    assert replayed.astimezone(NEW_YORK).hour == 20


def test_the_same_evening_has_one_run_key_and_two_evenings_have_two(tmp_path: Path) -> None:
    keys = [tick(tmp_path, datetime(2026, 11, day, 20, 5, tzinfo=NEW_YORK)).run_key for day in (21, 21, 22)]
    assert keys == ["2026-11-21 from 2013-11-22", "2026-11-21 from 2013-11-22", "2026-11-22 from 2013-11-23"]


def test_nights_that_were_left_out_come_first_in_weeks_and_one_after_the_other(tmp_path: Path) -> None:
    finish(tmp_path, [date(2013, 11, 1), date(2013, 11, 2), date(2013, 11, 4)])
    requests = ticked(tmp_path, datetime(2026, 11, 21, 20, 5, tzinfo=NEW_YORK))
    start, end = (f"dagster/asset_partition_range_{name}" for name in ("start", "end"))
    asked = [(request.tags.get(start, request.partition_key), request.tags.get(end)) for request in requests]
    assert asked == [
        ("2013-11-03", None), ("2013-11-05", "2013-11-11"), ("2013-11-12", "2013-11-18"), ("2013-11-19", "2013-11-22"),
    ]  # fmt: skip
    assert len({request.run_key for request in requests}) == len(requests)
    limits = yaml.safe_load((ROOT / "ml_pipeline" / "dagster.yaml").read_text())["concurrency"]["runs"]
    tag = next(tag for tag in requests[0].tags if tag.startswith("ml_pipeline/"))
    assert {"key": tag, "limit": 1} in limits["tag_concurrency_limits"]
    assert all(tag in request.tags for request in requests)


def test_nights_before_the_first_that_was_finished_and_after_tonight_are_not_asked_for(tmp_path: Path) -> None:
    finish(tmp_path, [date(2013, 12, 24)])
    request = tick(tmp_path, datetime(2026, 11, 21, 20, 5, tzinfo=NEW_YORK))
    assert request.partition_key == "2013-11-22"


LATE_CUTOFF = """
from datetime import datetime
from zoneinfo import ZoneInfo
import dagster as dg
from ml_pipeline.defs.resources import site_resource
from ml_pipeline.defs.schedules import nightly
minute, hour = nightly.cron_schedule.split()[:2]
# The first tick after the cutoff of the night 2024-05-10, which is 23:58 on the evening before.
day = 9 if int(hour) > 12 else 10
fired_at = datetime(2024, 5, day, int(hour), int(minute), tzinfo=ZoneInfo("Europe/Berlin"))
site = site_resource()
with dg.build_schedule_context(scheduled_execution_time=fired_at, resources={"site": site}) as context:
    print(nightly(context)[0].partition_key)
"""


def test_a_cutoff_shortly_before_midnight_still_names_its_own_night(shop_project: Path) -> None:
    path = shop_project / "project.yml"
    path.write_text(path.read_text(encoding="utf-8").replace('time: "20:00"', 'time: "23:58"'), encoding="utf-8")
    assert (
        run_python(
            LATE_CUTOFF, environment={"ML_PIPELINE_PROJECT": str(shop_project), "ML_PIPELINE_DATA": str(shop_project)}
        )
        == "2024-05-10"
    )

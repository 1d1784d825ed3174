"""What Dagster's own evaluator makes of tables that tonight's run has, or has not, made."""

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from dagster._core.definitions import freshness_evaluator
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.storage.event_log.base import AssetRecord

from ml_pipeline.defs.freshness import NIGHTLY_CRON, NIGHTLY_FRESHNESS, evening_of, night_of
from ml_pipeline.defs.loading import code_location
from ml_pipeline.defs.project import sql_project
from ml_pipeline_tests.processes import run_python

NEW_YORK = ZoneInfo("America/New_York")
TICK = datetime(2026, 11, 21, 20, 5, tzinfo=NEW_YORK)


def state(materialised: datetime, now: datetime, monkeypatch: pytest.MonkeyPatch) -> FreshnessState:
    async def record(*_: object) -> Any:
        event = SimpleNamespace(timestamp=materialised.timestamp())
        return SimpleNamespace(asset_entry=SimpleNamespace(last_materialization=event))

    monkeypatch.setattr(AssetRecord, "gen", record)
    monkeypatch.setattr(freshness_evaluator, "get_current_datetime", lambda _: now)
    node = cast("Any", SimpleNamespace(key="scores", freshness_policy_or_from_metadata=NIGHTLY_FRESHNESS))
    evaluator = freshness_evaluator.CronFreshnessPolicyEvaluator()
    return asyncio.run(evaluator.evaluate_freshness(context=cast("Any", None), node=node))


@pytest.mark.parametrize(
    ("materialised", "now", "wanted"),
    [
        (TICK + timedelta(minutes=2), TICK + timedelta(minutes=61), FreshnessState.PASS),
        (TICK + timedelta(minutes=2), TICK + timedelta(hours=24, minutes=59), FreshnessState.PASS),
        (TICK + timedelta(minutes=2), TICK + timedelta(hours=25, minutes=1), FreshnessState.FAIL),
        (TICK - timedelta(minutes=1), TICK + timedelta(minutes=59), FreshnessState.PASS),
        (TICK - timedelta(minutes=1), TICK + timedelta(minutes=61), FreshnessState.FAIL),
        (TICK + timedelta(hours=3), TICK + timedelta(hours=4), FreshnessState.PASS),
    ],
)
def test_tonight_is_overdue_an_hour_after_its_tick(
    materialised: datetime, now: datetime, wanted: FreshnessState, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state(materialised, now, monkeypatch) == wanted


def test_sources_and_scores_have_it() -> None:
    fresh = {spec.key.to_user_string() for spec in code_location().resolve_all_asset_specs() if spec.freshness_policy}
    assert fresh == {"scores", *(f"raw/{source}" for source in sql_project().sources)}


def test_the_delay_after_the_cutoff_is_a_setting() -> None:
    assert NIGHTLY_CRON == "5 20 * * *"
    asked = "from ml_pipeline.defs.freshness import NIGHTLY_CRON, NIGHTLY_FRESHNESS as f; print(NIGHTLY_CRON, f.deadline_cron)"
    assert run_python(asked, environment={"ML_PIPELINE_NIGHTLY_DELAY_MINUTES": "250"}) == "10 0 * * * 10 1 * * *"


@pytest.mark.parametrize(
    ("instant", "evening", "night"),
    [
        (TICK, "2026-11-21", "2013-11-22"), (TICK - timedelta(seconds=1), "2026-11-20", "2013-11-21"),
        (TICK + timedelta(hours=23), "2026-11-21", "2013-11-22"),
        (TICK.astimezone(ZoneInfo("Asia/Kolkata")), "2026-11-21", "2013-11-22"),
        # The clock goes back in the night, and forward.
        (datetime(2026, 10, 31, 20, 5, tzinfo=NEW_YORK), "2026-10-31", "2013-11-01"),
        (datetime(2026, 3, 8, 20, 4, tzinfo=NEW_YORK), "2026-03-07", "2013-03-08"),
    ],
)  # fmt: skip
def test_an_evening_lasts_from_its_tick_to_the_next(instant: datetime, evening: str, night: str) -> None:
    found = evening_of(instant)
    assert (str(found), str(night_of(found))) == (evening, night)

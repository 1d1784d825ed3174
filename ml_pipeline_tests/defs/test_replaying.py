from datetime import date

import dagster as dg
import pytest

from ml_pipeline.contracts.replay import ReplayContract
from ml_pipeline.definitions import definitions
from ml_pipeline.defs.replaying import incidents_markdown, policies_markdown, require_night_of
from ml_pipeline_tests.domain.synthetic_replay import synthetic_report

SPAN = ReplayContract(first=date(2024, 5, 1), last=date(2024, 5, 30), clean_until=date(2024, 5, 10))


@pytest.mark.parametrize("nights", [[SPAN.first], [SPAN.last], [date(2024, 4, 1), date(2024, 5, 3)]])
def test_any_night_of_the_replay_runs_all_of_it(nights: list[date]) -> None:
    require_night_of(nights, SPAN)


def test_a_night_outside_is_refused_with_those_that_can_be_chosen() -> None:
    with pytest.raises(ValueError, match="the replay goes from 2024-05-01 to 2024-05-30; choose any of its nights"):
        require_night_of([date(2024, 6, 1)], SPAN)


def test_the_run_shows_every_policy_and_every_incident() -> None:
    report = synthetic_report()
    table = policies_markdown(report)
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == [year.title for year in report.clean]
    told = incidents_markdown(report).splitlines()[2:]
    assert len(told) == len(report.incidents) > 0
    assert all(one.title in line and one.truth in line for one, line in zip(report.incidents, told, strict=True))


def test_the_replay_is_in_a_job_of_its_own_and_in_no_other() -> None:
    holding = [
        job.name
        for job in definitions().resolve_all_job_defs()
        if not job.name.startswith("__")
        and dg.AssetKey(["monitoring", "replay"]) in job.asset_layer.selected_asset_keys
    ]
    assert holding == ["replay"]

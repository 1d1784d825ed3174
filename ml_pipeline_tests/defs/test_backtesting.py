from datetime import date

import pytest

from ml_pipeline.contracts.project import BacktestContract
from ml_pipeline.definitions import definitions
from ml_pipeline.defs.backtesting import span_for
from ml_pipeline.nights import nights_between

SPAN = BacktestContract(first=date(2024, 4, 1), last=date(2024, 6, 1))


@pytest.mark.parametrize(
    "nights",
    [[date(2024, 5, 1)], list(nights_between(SPAN.first, SPAN.last)), list(nights_between(date(2024, 3, 9), SPAN.first))],
)  # fmt: skip
def test_any_month_of_the_backtest_runs_all_of_it(nights: list[date]) -> None:
    assert span_for(nights, SPAN) == SPAN


@pytest.mark.parametrize(
    "nights", [[date(2024, 5, 2)], [date(2024, 7, 1)], list(nights_between(date(2024, 4, 2), date(2024, 4, 30)))]
)
def test_nights_on_which_no_month_begins_are_refused(nights: list[date]) -> None:
    with pytest.raises(ValueError, match="no month of the backtest begins on night 2024-"):
        span_for(nights, SPAN)


def test_a_project_without_a_backtest_is_told_how_to_have_one() -> None:
    with pytest.raises(ValueError, match=r"name its first and last month as backtest in project\.yml"):
        span_for([SPAN.first], None)


def test_the_backtest_is_in_a_job_of_its_own_and_in_no_other() -> None:
    loaded = definitions()
    jobs = {job.name: job for job in loaded.resolve_all_job_defs() if not job.name.startswith("__ASSET")}
    holding = [
        name
        for name, job in jobs.items()
        if "monitoring/backtest" in {key.to_user_string() for key in job.asset_layer.selected_asset_keys}
    ]
    assert holding == ["backtest"]
    assert len(jobs["backtest"].asset_layer.selected_asset_keys) == 1

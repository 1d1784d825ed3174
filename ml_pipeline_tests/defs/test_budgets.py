"""The check as Dagster runs it, over runs of a real instance."""

from collections.abc import Iterator

import dagster as dg
import pytest

from ml_pipeline.defs.budgets import RUN_WITHIN_BUDGET, budget_checks
from ml_pipeline.defs.reporting import nights_of, report_nights
from ml_pipeline.io.table_store import PublishResult

NIGHTS = dg.DailyPartitionsDefinition(start_date="2024-05-01")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Rows(dg.Config):
    rows: int = 1_000


@dg.asset(partitions_def=NIGHTS)
def features(context: dg.AssetExecutionContext, config: Rows) -> None:
    nights = nights_of(context)
    report_nights(context, PublishResult("features", 1, tuple(nights), (), config.rows), {})


@dg.asset(deps=[features], partitions_def=NIGHTS)
def scores(context: dg.AssetExecutionContext) -> None:
    nights_of(context)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def judged(instance: dg.DagsterInstance, day: int, rows: int = 1_000) -> tuple[dg.AssetCheckEvaluation, dg.DagsterRun]:
    """Materialise a night; its evaluation, after the run succeeded."""
    definitions = dg.Definitions(assets=[features, scores], asset_checks=[budget_checks([features.key, scores.key])])
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, partition_key=f"2024-05-{day:02}",
        run_config=QUIET | {"ops": {"features": {"config": {"rows": rows}}}},
    )  # fmt: skip
    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.asset_key, evaluation.check_name) == (scores.key, RUN_WITHIN_BUDGET)
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return evaluation, run


def test_a_night_that_costs_far_more_than_those_before_is_a_warning(instance: dg.DagsterInstance) -> None:
    for day in range(1, 6):
        evaluation, run = judged(instance, day)
        assert evaluation.passed
        assert run.tags["night"] == f"2024-05-{day:02}"
        assert f"too little history: {day - 1} earlier runs" in str(evaluation.metadata["by_asset"].value)
    usual, _ = judged(instance, 6)
    assert usual.passed
    assert "as in the 5 runs before" in str(usual.metadata["by_asset"].value)
    evaluation, _ = judged(instance, 7, rows=50_000)
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert evaluation.metadata["exceeded"].value == ["features: 50,000.0 rows; the median of 6 runs before is 1,000.0"]


def test_each_materialisation_says_what_it_had_cost(instance: dg.DagsterInstance) -> None:
    judged(instance, 1)
    event = instance.get_latest_materialization_event(features.key)
    assert event is not None
    assert event.asset_materialization is not None
    told = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert told["nights_in_run"] == 1
    assert 0 <= told["seconds_until_published"] < 10
    assert told["peak_memory_mib"] > 10

import dagster as dg
import pytest

from ml_pipeline.definitions import definitions
from ml_pipeline.defs.project import sql_project

ASSETS = {
    "features", "labels", "trained_model", "recalibrated_model", "promotion", "scores", "monitoring/performance", "monitoring/drift",
    "monitoring/retraining_decisions", "monitoring/late_arrivals", "monitoring/calibration", "monitoring/expectations",
    "tuned_parameters", "shadow_scores", "monitoring/shadow_review", "monitoring/estimates", "monitoring/prediction_drift",
    "monitoring/replay",
}  # fmt: skip
JOBS = {
    "nightly_scoring", "ingestion", "feature_building", "retraining", "tuning", "recalibration", "scoring", "judging",
    "watching",
}  # fmt: skip


@pytest.fixture(scope="module")
def loaded() -> dg.Definitions:
    return definitions()


def assets(loaded: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in loaded.resolve_all_asset_specs()}


def test_the_code_location_loads_whole(loaded: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(loaded)
    sources = {f"raw/{name}" for name in sql_project().sources}
    assert set(assets(loaded)) >= ASSETS | sources
    assert {job.name for job in loaded.resolve_all_job_defs()} >= JOBS


def test_every_asset_says_whose_it_is_and_what_it_is(loaded: dg.Definitions) -> None:
    for name, spec in assets(loaded).items():
        assert spec.owners and spec.kinds, name
        assert spec.group_name and spec.group_name != "default", name
        assert spec.description and len(spec.description) > 20, name


def test_a_retraining_neither_tunes_nor_recalibrates(loaded: dg.Definitions) -> None:
    selected = {
        job: {key.to_user_string() for key in loaded.resolve_job_def(job).asset_layer.executable_asset_keys}
        for job in ("retraining", "tuning", "recalibration")
    }
    assert selected == {
        "retraining": {"trained_model", "promotion"}, "tuning": {"tuned_parameters"},
        "recalibration": {"recalibrated_model"},
    }  # fmt: skip


def test_every_asset_has_the_nights_of_the_project_as_its_partitions(loaded: dg.Definitions) -> None:
    for name, spec in assets(loaded).items():
        partitions = spec.partitions_def
        assert isinstance(partitions, dg.DailyPartitionsDefinition), name
        assert partitions.timezone == sql_project().project.timezone
        keys = partitions.get_partition_keys()
        assert (keys[0], keys[-1]) == (str(sql_project().project.first_night), str(sql_project().project.last_night))


def test_every_job_has_a_time_limit_and_runs_in_one_process(loaded: dg.Definitions) -> None:
    for job in loaded.resolve_all_job_defs():
        if job.name.startswith("__ASSET"):
            continue
        assert 60 <= int(job.tags["dagster/max_runtime"]) <= 4 * 3600, job.name
        assert job.tags["dagster/max_retries"] == "0", job.name
        assert job.executor_def.name == "in_process", job.name
        assert job.description, job.name


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_an_asset_does_not_run_without_a_night(loaded: dg.Definitions, name: str) -> None:
    """A partitioned run without a partition must fail, not publish nothing and be green."""
    job = loaded.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(name.split("/"))], raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )  # fmt: skip
        assert not result.success
        found = instance.fetch_materializations(dg.AssetKey(name.split("/")), limit=1).records
        assert list(found) == []


def test_the_graph_runs_from_the_sources_to_the_decision(loaded: dg.Definitions) -> None:
    graph = loaded.resolve_asset_graph()
    ancestors = {
        key.to_user_string()
        for key in graph.get_ancestor_asset_keys(dg.AssetKey(["monitoring", "retraining_decisions"]))
    }
    assert {
        "raw/schedules",
        "raw/outcomes",
        "features",
        "labels",
        "trained_model",
        "promotion",
        "monitoring/drift",
        "monitoring/shadow_review",
    } <= ancestors
    assert "promotion" in {key.to_user_string() for key in graph.get(dg.AssetKey("scores")).parent_keys}


def test_a_backfill_of_some_nights_stays_with_these_nights(loaded: dg.Definitions) -> None:
    """A backfill follows partition mappings downstream: one lookback among them and three nights become thirty."""
    edges = [dep for spec in assets(loaded).values() for dep in spec.deps]
    assert len(edges) >= 15
    assert [dep for dep in edges if dep.partition_mapping is not None] == []

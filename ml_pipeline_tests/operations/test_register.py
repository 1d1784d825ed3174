"""What MLflow was told of a training, asked of MLflow itself."""

import json
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from ml_pipeline.operations.register import register
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.trainings import recorded_training
from ml_pipeline_tests.operations.test_explain_model import champion


@pytest.fixture(scope="module")
def run(scored_shop: Site) -> Run:
    client = MlflowClient(scored_shop.tracking_uri, scored_shop.tracking_uri)
    number = scored_shop.registry.version_of(champion(scored_shop).version)
    return client.get_run(client.get_model_version(scored_shop.project.name, str(number)).run_id)


def test_metrics_come_with_the_ends_of_their_intervals(scored_shop: Site, run: Run) -> None:
    content = champion(scored_shop).json("metrics.json")
    assert run.data.metrics["test_model_log_loss"] == content["test"]["model"]["log_loss"]
    assert run.data.metrics["test_model_log_loss_low"] == content["intervals"]["model"]["log_loss"]["low"]
    assert run.data.metrics["test_gain_roc_auc"] == content["intervals"]["gain"]["roc_auc"]["value"]
    assert run.data.metrics["test_gain_roc_auc_high"] == content["intervals"]["gain"]["roc_auc"]["high"]


def test_every_block_is_a_dataset_that_mlflow_can_open(scored_shop: Site, run: Run) -> None:
    bundle = champion(scored_shop)
    recorded = recorded_training(scored_shop, bundle.version)
    assert recorded is not None
    table = features_table(scored_shop.sql)
    found = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert set(found) == set(bundle.manifest["blocks"]) == {"train", "early_stop", "calibrate", "test"}
    for purpose, dataset in found.items():
        assert dataset.name == f"{table} version {recorded.table_versions[table]}"
        profile = json.loads(dataset.profile)
        assert [profile["first_night"], profile["last_night"]] == bundle.manifest["blocks"][purpose]
        source = mlflow.data.get_source(run.inputs.dataset_inputs[0])
        assert Path(source.path.removeprefix("file://")) == scored_shop.tables.path(table)
    assert len({dataset.digest for dataset in found.values()}) == 4


def test_tags_say_from_what_code_and_whose_it_is(scored_shop: Site, run: Run) -> None:
    bundle = champion(scored_shop)
    recorded = recorded_training(scored_shop, bundle.version)
    assert recorded is not None
    assert run.data.tags["project"] == scored_shop.project.name
    assert run.data.tags["feature_set_version"] == scored_shop.sql.feature_set_version
    assert run.data.tags["manifest_sha256"] == bundle.manifest_sha256
    assert run.data.tags["mlflow.source.git.commit"] == recorded.git_commit
    assert run.data.tags["mlflow.note.content"].startswith("# Returned orders of a shop: model of the night 2024-05-05")


def test_the_evidence_lies_beside_the_model_and_the_model_has_a_signature(scored_shop: Site, run: Run) -> None:
    bundle = champion(scored_shop)
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    for name in ("model_card.html", "model_card.md", "calibration.json", "metrics.json"):
        assert (folder / "evaluation" / name).read_bytes() == bundle.content(name)
    signature = mlflow.models.get_model_info(str(folder / "model")).signature
    assert [column.name for column in signature.inputs] == [feature.name for feature in scored_shop.sql.features]


def test_registering_again_makes_no_second_run(scored_shop: Site, run: Run) -> None:
    bundle = champion(scored_shop)
    assert register(scored_shop, bundle) == scored_shop.registry.version_of(bundle.version)
    client = MlflowClient(scored_shop.tracking_uri, scored_shop.tracking_uri)
    assert len(client.search_runs([run.info.experiment_id])) == 1

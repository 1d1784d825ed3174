import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ml_pipeline.io.mlflow_registry import MlflowRegistry
from ml_pipeline_tests.processes import run_python, start_python

NAME = "shop_returns"


@pytest.fixture
def registry(mlflow_template: Path, tmp_path: Path) -> MlflowRegistry:
    shutil.copyfile(mlflow_template, tmp_path / "mlflow.db")
    made = MlflowRegistry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlartifacts", NAME)
    made.prepare(tmp_path / "mlflow.lock")
    return made


def client(registry: MlflowRegistry) -> MlflowClient:
    return MlflowClient(tracking_uri=registry.tracking_uri, registry_uri=registry.tracking_uri)


def bundle(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / "models" / name
    (folder / "feature_set").mkdir(parents=True)
    (folder / "model.txt").write_text("tree")
    (folder / "feature_set" / "project.yml").write_text("name: x")
    return folder


def log(registry: MlflowRegistry, folder: Path) -> int:
    plot = folder.parent / "roc.png"
    plot.write_bytes(b"\x89PNG")
    return registry.log_version(
        folder, model=folder, parameters={"seed": 7}, metrics={"test_model_log_loss": 0.5, "test_model_roc_auc": float("nan")},
        tags={"trained_on": "2024-05-05"}, plots={"roc": plot},
    )  # fmt: skip


def test_a_bundle_becomes_a_run_and_a_version_with_its_files(registry: MlflowRegistry, tmp_path: Path) -> None:
    number = log(registry, bundle(tmp_path, "2024-05-05-aaaa"))
    version = client(registry).get_model_version(NAME, str(number))
    run = client(registry).get_run(version.run_id)
    assert (run.info.run_name, run.info.status) == ("2024-05-05-aaaa", "FINISHED")
    assert run.data.params == {"seed": "7"}
    assert run.data.metrics["test_model_log_loss"] == 0.5
    assert run.data.tags["trained_on"] == "2024-05-05"
    stored = Path(version.source.removeprefix("file://"))
    assert stored.is_relative_to(tmp_path / "mlartifacts")
    assert {str(path.relative_to(stored)) for path in stored.rglob("*") if path.is_file()} == {
        "model.txt", "feature_set/project.yml",
    }  # fmt: skip
    assert [path.name for path in (tmp_path / "mlartifacts").rglob("*.png")] == ["roc.png"]


def test_the_same_bundle_again_is_the_same_version_and_makes_no_run(registry: MlflowRegistry, tmp_path: Path) -> None:
    folder = bundle(tmp_path, "2024-05-05-aaaa")
    assert log(registry, folder) == log(registry, folder) == registry.version_of("2024-05-05-aaaa")
    experiment = client(registry).get_experiment_by_name(NAME)
    assert len(client(registry).search_runs([experiment.experiment_id])) == 1
    other = log(registry, bundle(tmp_path, "2024-06-05-bbbb"))
    assert other == registry.version_of("2024-06-05-bbbb") != registry.version_of("2024-05-05-aaaa")


def test_an_alias_follows_the_last_word(registry: MlflowRegistry, tmp_path: Path) -> None:
    numbers = {name: log(registry, bundle(tmp_path, name)) for name in ("2024-05-05-aaaa", "2024-06-05-bbbb")}
    for name in (*numbers, "2024-05-05-aaaa"):
        assert registry.set_alias("champion", name) == numbers[name]
        assert int(client(registry).get_model_version_by_alias(NAME, "champion").version) == numbers[name]


def test_a_bundle_that_was_never_logged_cannot_be_named(registry: MlflowRegistry) -> None:
    assert registry.version_of("2024-05-05-none") is None
    with pytest.raises(LookupError, match="bundle 2024-05-05-none is not in the registry shop_returns"):
        registry.set_alias("champion", "2024-05-05-none")


def test_preparing_again_changes_nothing(registry: MlflowRegistry, tmp_path: Path) -> None:
    log(registry, bundle(tmp_path, "2024-05-05-aaaa"))
    before = [experiment.experiment_id for experiment in client(registry).search_experiments()]
    registry.prepare(tmp_path / "mlflow.lock")
    assert [experiment.experiment_id for experiment in client(registry).search_experiments()] == before
    assert registry.version_of("2024-05-05-aaaa") is not None


def test_two_registries_in_one_store_do_not_see_each_other(registry: MlflowRegistry, tmp_path: Path) -> None:
    other = MlflowRegistry(registry.tracking_uri, tmp_path / "mlartifacts", "other_project")
    other.prepare(tmp_path / "mlflow.lock")
    log(registry, bundle(tmp_path, "2024-05-05-aaaa"))
    assert other.version_of("2024-05-05-aaaa") is None


PREPARE = """
import sys
from pathlib import Path
from ml_pipeline.io.mlflow_registry import MlflowRegistry
folder = Path(sys.argv[1])
registry = MlflowRegistry(f"sqlite:///{folder / 'mlflow.db'}", folder / "mlartifacts", "shop_returns")
registry.prepare(folder / "mlflow.lock")
print(registry.version_of("none"))
"""


def test_processes_that_meet_on_a_new_store_do_not_crash_each_other(tmp_path: Path) -> None:
    first = start_python(PREPARE, str(tmp_path))
    assert run_python(PREPARE, str(tmp_path)) == "None"
    out, error = first.communicate(timeout=120)
    assert (first.returncode, out) == (0, "None\n"), error


def test_files_can_be_added_to_a_run_and_replaced(registry: MlflowRegistry, tmp_path: Path) -> None:
    log(registry, bundle(tmp_path, "2024-05-05-aaaa"))
    report = tmp_path / "review.md"
    for text in ("first", "second"):
        report.write_text(text)
        registry.add_files("2024-05-05-aaaa", "review", [report])
    (stored,) = (tmp_path / "mlartifacts").rglob("review.md")
    assert (stored.parent.name, stored.read_text()) == ("review", "second")
    with pytest.raises(LookupError, match="bundle none is not in the registry"):
        registry.add_files("none", "review", [report])


PREPARE_AGAIN = """
import sys
from pathlib import Path
from ml_pipeline.io.mlflow_registry import MlflowRegistry
folder = Path(sys.argv[1])
MlflowRegistry(f"sqlite:///{folder / 'mlflow.db'}", folder / "mlartifacts", "shop_returns").prepare(folder / "mlflow.lock")
print("mlflow" in sys.modules)
"""


def test_a_prepared_store_is_left_alone_until_it_is_another(registry: MlflowRegistry, tmp_path: Path) -> None:
    """MLflow takes seconds to import, and every start of the pipeline prepares the store."""
    assert run_python(PREPARE_AGAIN, str(tmp_path)) == "False"
    note = tmp_path / "mlflow.prepared"
    for other in ("of another version of MLflow", None):
        noted = note.read_text()
        if other is None:
            client(registry).rename_registered_model(NAME, "renamed")
        else:
            note.write_text(other)
        assert run_python(PREPARE_AGAIN, str(tmp_path)) == "True"
        assert note.read_text() == noted
        assert len(client(registry).search_registered_models(f"name = '{NAME}'")) == 1
    (tmp_path / "mlflow.db").unlink()
    assert run_python(PREPARE_AGAIN, str(tmp_path)) == "True"
    assert registry.version_of("none") is None

"""MLflow: runs, metrics, plots, model versions and the aliases ``champion`` and ``challenger``."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ml_pipeline.io.files import write_durably
from ml_pipeline.io.locks import exclusive_lock

_BUNDLE_TAG = "bundle_version"
_NAMES = """
select count(*) from (
    select name from experiments where lifecycle_stage = 'active' union all select name from registered_models
) where name = ?
"""
# The type by which MLflow opens a dataset again (its DeltaDatasetSource, whose import takes a second).
_DELTA_TABLE = "delta_table"


@dataclass(frozen=True)
class LoggedDataset:
    """Rows that a run read.

    Attributes:
        name: of the table and its version.
        digest: of the content, at most 36 characters.
        path: folder of the Delta table.
        version: its Delta version.
        context: what the rows were for.
        profile: counts and ends, plain values.
    """

    name: str
    digest: str
    path: Path
    version: int
    context: str
    profile: Mapping[str, Any]


@dataclass(frozen=True)
class MlflowRegistry:
    """One registered model in the store at ``tracking_uri``; ``artifacts`` holds what is logged."""

    tracking_uri: str
    artifacts: Path
    name: str

    def prepare(self, lock: Path) -> None:
        """Create or upgrade the store. Under a lock: several processes on a new database crash each other.

        A SQLite store that this version of MLflow prepared, and that still holds both names, is left alone: importing
        MLflow takes three seconds. What is noted lies beside the lock.
        """
        note, noted = lock.with_suffix(".prepared"), f"{version('mlflow')} {self.tracking_uri} {self.name}"
        with exclusive_lock(lock):
            if note.exists() and note.read_text(encoding="utf-8") == noted and self._holds_names():
                return
            client = self._client()
            if client.get_experiment_by_name(self.name) is None:
                client.create_experiment(self.name, artifact_location=self.artifacts.resolve().as_uri())
            if not client.search_registered_models(f"name = '{self.name}'"):
                client.create_registered_model(self.name)
            write_durably(note, noted.encode())

    def _holds_names(self) -> bool:
        path = self.tracking_uri.removeprefix("sqlite:///")
        if path == self.tracking_uri or not Path(path).is_file():
            return False
        try:
            with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as store:
                return bool(store.execute(_NAMES, (self.name,)).fetchone() == (2,))
        except sqlite3.Error:
            return False

    def log_version(
        self, bundle: Path, *, model: Path, parameters: Mapping[str, Any], metrics: Mapping[str, float],
        tags: Mapping[str, str], plots: Mapping[str, Path], datasets: Sequence[LoggedDataset] = (),
        files: Sequence[Path] = (), description: str = "",
    ) -> int:  # fmt: skip
        """Record a trained bundle as a run and a model version; the same bundle again is the same version.

        ``model`` is the folder that MLflow loads, with the bundle in it; ``files`` are kept beside it as evidence.
        """
        found = self.version_of(bundle.name)
        if found is not None:
            return found
        client = self._client()
        experiment = client.get_experiment_by_name(self.name)
        named = {**tags, _BUNDLE_TAG: bundle.name, "mlflow.note.content": description}
        run = client.create_run(experiment.experiment_id, run_name=bundle.name, tags=named)
        run_id = run.info.run_id
        _log_numbers(client, run_id, parameters, metrics)
        client.log_inputs(run_id, [_dataset_input(dataset) for dataset in datasets])
        client.log_artifacts(run_id, str(model), "model")
        for title, path in plots.items():
            client.log_artifact(run_id, str(path), f"plots/{title}")
        for path in files:
            client.log_artifact(run_id, str(path), "evaluation")
        client.set_terminated(run_id)
        version = client.create_model_version(
            self.name,
            f"{run.info.artifact_uri}/model",
            run_id,
            tags={_BUNDLE_TAG: bundle.name},
            description=description,
        )
        return int(version.version)

    def add_files(self, bundle_version: str, folder: str, files: Sequence[Path]) -> None:
        """Put ``files`` into ``folder`` of the artifacts of a bundle's run; files of the same name are replaced.

        Raises:
            LookupError: the bundle was never logged.
        """
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        client = self._client()
        version = client.get_model_version(self.name, str(self.require_version(bundle_version)))
        # MLflow's client remembers where a run's artifacts lie for the whole process, also for another store's copy of it.
        store = get_artifact_repository(
            client.get_run(version.run_id).info.artifact_uri, tracking_uri=self.tracking_uri
        )
        for path in files:
            store.log_artifact(str(path), folder)

    def version_of(self, bundle_version: str) -> int | None:
        """MLflow's number of a bundle, None if it was never logged."""
        versions = self._client().search_model_versions(f"name = '{self.name}'")
        numbers = [int(found.version) for found in versions if found.tags.get(_BUNDLE_TAG) == bundle_version]
        return max(numbers, default=None)

    def require_version(self, bundle_version: str) -> int:
        """MLflow's number of a bundle. Raises LookupError if it was never logged."""
        number = self.version_of(bundle_version)
        if number is None:
            raise LookupError(f"bundle {bundle_version} is not in the registry {self.name}; train it again")
        return number

    def set_alias(self, alias: str, bundle_version: str) -> int:
        """Point ``alias`` at a bundle's version and return its number.

        Raises:
            LookupError: the bundle was never logged.
        """
        number = self.require_version(bundle_version)
        self._client().set_registered_model_alias(self.name, alias, str(number))
        return number

    def _client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)


def _log_numbers(client: Any, run_id: str, parameters: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """In one call: each takes a transaction of its own."""
    from mlflow.entities import Metric, Param

    at_ms = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, at_ms, 0) for key, value in metrics.items()],
        params=[Param(key, str(value)) for key, value in parameters.items()],
    )


def _dataset_input(dataset: LoggedDataset) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = {"path": dataset.path.as_uri(), "delta_table_version": dataset.version, "is_databricks_uc_table": False}
    entity = Dataset(
        dataset.name, dataset.digest, _DELTA_TABLE, json.dumps(source, sort_keys=True), schema=None,
        profile=json.dumps(dict(dataset.profile), sort_keys=True),
    )  # fmt: skip
    return DatasetInput(entity, [InputTag("mlflow.data.context", dataset.context)])

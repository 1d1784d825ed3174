"""MLflow: runs, metrics, plots, model versions and the aliases ``champion`` and ``challenger``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_pipeline.io.locks import exclusive_lock

_BUNDLE_TAG = "bundle_version"


@dataclass(frozen=True)
class MlflowRegistry:
    """One registered model in the store at ``tracking_uri``; ``artifacts`` holds what is logged."""

    tracking_uri: str
    artifacts: Path
    name: str

    def prepare(self, lock: Path) -> None:
        """Create or upgrade the store. Under a lock: several processes on a new database crash each other."""
        with exclusive_lock(lock):
            client = self._client()
            if client.get_experiment_by_name(self.name) is None:
                client.create_experiment(self.name, artifact_location=self.artifacts.resolve().as_uri())
            if not client.search_registered_models(f"name = '{self.name}'"):
                client.create_registered_model(self.name)

    def log_version(
        self, bundle: Path, *, model: Path, parameters: Mapping[str, Any], metrics: Mapping[str, float],
        tags: Mapping[str, str], plots: Mapping[str, Path],
    ) -> int:  # fmt: skip
        """Record a trained bundle as a run and a model version; the same bundle again is the same version.

        ``model`` is the folder that MLflow loads, with the bundle in it.
        """
        found = self.version_of(bundle.name)
        if found is not None:
            return found
        client = self._client()
        experiment = client.get_experiment_by_name(self.name)
        run = client.create_run(experiment.experiment_id, run_name=bundle.name, tags={**tags, _BUNDLE_TAG: bundle.name})
        run_id = run.info.run_id
        for key, value in parameters.items():
            client.log_param(run_id, key, value)
        for key, value in metrics.items():
            client.log_metric(run_id, key, value)
        client.log_artifacts(run_id, str(model), "model")
        for title, path in plots.items():
            client.log_artifact(run_id, str(path), f"plots/{title}")
        client.set_terminated(run_id)
        version = client.create_model_version(
            self.name, f"{run.info.artifact_uri}/model", run_id, tags={_BUNDLE_TAG: bundle.name}
        )
        return int(version.version)

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

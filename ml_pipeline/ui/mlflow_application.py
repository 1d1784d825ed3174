"""MLflow's own web application over one store, with everything off that reports, starts programs or waits for work."""

import os
import sys
from collections.abc import Collection
from pathlib import Path

from ml_pipeline.ui.middleware import Application


def mlflow_application(store: str, artifacts: Path, *, hosts: Collection[str], origins: Collection[str]) -> Application:
    """The application that ``mlflow server`` runs, on the store at ``store``; its own checks of names stay on.

    It reads its settings from the environment when it is imported, so a process has one.

    Raises:
        RuntimeError: it was imported before, with other settings.
    """
    if "mlflow.server" in sys.modules:
        raise RuntimeError(
            "MLflow's server was imported before its settings were made; start it in a process of its own"
        )
    os.environ |= _settings(store, artifacts) | {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(sorted(hosts)),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(sorted(origins)),
        "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
    }
    for name in ("_MLFLOW_STATIC_PREFIX", "prometheus_multiproc_dir", "MLFLOW_DEPLOYMENTS_TARGET"):
        os.environ.pop(name, None)
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(store, store, "mlflow-artifacts:/")
    application: Application = app
    return application


def _settings(store: str, artifacts: Path) -> dict[str, str]:
    """What ``mlflow server`` tells its workers, and what it would otherwise start."""
    return {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_REGISTRY_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(artifacts),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_WORKSPACES": "false",
    }

"""The Dagster instance below the data root, made once, under a lock."""

import os
from pathlib import Path
from shutil import copyfile

import dagster as dg

from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.operations.site import Site


def prepare(site: Site, dagster_home: Path) -> None:
    """Make the folders and both SQLite databases. Several processes on a new database crash each other, so: a lock."""
    with exclusive_lock(site.lock_file("init")):
        dagster_home.mkdir(parents=True, exist_ok=True)
        target = dagster_home / "dagster.yaml"
        template = Path(__file__).parent.parent / "dagster.yaml"
        if not target.exists() or target.read_bytes() != template.read_bytes():
            copyfile(template, target)
        with open_instance(dagster_home) as instance:
            instance.get_run_records(limit=1)
    site.registry.prepare(site.lock_file("mlflow"))


def open_instance(dagster_home: Path) -> dg.DagsterInstance:
    """The instance of ``dagster_home``, also for Dagster code that looks it up itself."""
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    return dg.DagsterInstance.get()

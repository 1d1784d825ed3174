"""The ledger of trainings: from which versions of which tables, with what code and where a bundle was made.

These facts are not in the bundle. Delta versions count the commits of one data root, commits of git and names of hosts
those of one machine: the same rows and code must give the same bundle, byte for byte, wherever and however often it is
made. What the bundle itself names is content: ``inputs_hash``, ``code_version``, ``packages``, ``seed``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.provenance import provenance
from ml_pipeline.operations.site import Site

TRAININGS = "trainings"


@dataclass(frozen=True)
class RecordedTraining:
    """What the ledger says of one bundle.

    Attributes:
        version: the bundle.
        table_versions: Delta version by table: the features and labels that were read, and every landed table.
        git_commit: the commit of the code, None if it was no checkout.
        is_dirty: whether that checkout held other changes, None if it was none.
    """

    version: str
    table_versions: dict[str, int]
    git_commit: str | None
    is_dirty: bool | None


def record_training(site: Site, bundle: ModelBundle, table_versions: Mapping[str, int]) -> None:
    """Append what ``bundle`` was made from and where.

    ``table_versions`` are those of features and labels; the landed tables are recorded as they are now.
    """
    landed = {f"raw/{source}": site.tables.version(f"raw/{source}") for source in site.sql.sources}
    site.ledger(TRAININGS).append({"version": bundle.version, **_facts(site, bundle, {**landed, **table_versions})})


def recorded_training(site: Site, version: str) -> RecordedTraining | None:
    """What was last recorded of bundle ``version``, None if it was trained before trainings were recorded."""
    for entry in reversed(site.ledger(TRAININGS).entries()):
        if entry["version"] == version:
            return RecordedTraining(version, entry["table_versions"], entry["git_commit"], entry["is_dirty"])
    return None


def _facts(site: Site, bundle: ModelBundle, table_versions: Mapping[str, int]) -> dict[str, Any]:
    named = {name: bundle.manifest[name] for name in ("trained_on", "code_version", "packages", "inputs_hash")}
    seeds = {"training": bundle.manifest["seed"]}
    return {**named, "seeds": seeds, "table_versions": dict(table_versions), **provenance(site.threads).as_json()}

"""Makes a bundle again from the rows, the tuning and the parent that it names."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml_pipeline.io.files import sha256_of
from ml_pipeline.io.model_bundle import REFIT_OF, BundleError, ModelBundle, read_bundle
from ml_pipeline.nights import Night
from ml_pipeline.operations.recalibrate import SOURCE, make_recalibrated, recalibration_blocks
from ml_pipeline.operations.refit_bundle import make_refit, refit_split
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.split_report import describe
from ml_pipeline.operations.train import make_bundle
from ml_pipeline.operations.training_rows import open_split
from ml_pipeline.operations.tuned_training import TUNING_FILE, AppliedTuning, tuning_from_json, with_tuning


def make_again(
    site: Site, elsewhere: Site, folder: Path, manifest: Mapping[str, Any], versions: Mapping[str, int]
) -> ModelBundle:
    """Make the bundle in ``folder`` again, written to ``elsewhere``, from tables as of ``versions``.

    With the tuning that it names; a recalibrated one from its very trees, a refit from its very recipe, both of ``site``.

    Raises:
        BundleError: its tuning, or the bundle that it was made from, is damaged.
        LookupError, FileNotFoundError: rows of these versions are gone.
    """
    night, tuning = Night.fromisoformat(manifest["trained_on"]), _tuning(folder, manifest)
    elsewhere = with_tuning(elsewhere, tuning)
    if REFIT_OF in manifest:
        source = read_bundle(site.models, manifest[REFIT_OF])
        return make_refit(elsewhere, source, refit_split(elsewhere, source, versions=versions))
    if SOURCE in manifest:
        source = read_bundle(site.models, manifest[SOURCE])
        blocks = recalibration_blocks(elsewhere, source, night)
        split = open_split(elsewhere, night, versions=versions, blocks=blocks)
        return make_recalibrated(elsewhere, source, split, describe(elsewhere, split))[0]
    split = replace(open_split(elsewhere, night, versions=versions), tuning=tuning)
    return make_bundle(elsewhere, split, describe(elsewhere, split))[0]


def _tuning(folder: Path, manifest: Mapping[str, Any]) -> AppliedTuning | None:
    """Of all files the only one that a training is made from; it must be whole, whatever became of the others."""
    recorded = manifest["files"].get(TUNING_FILE)
    if recorded is None:
        return None
    path = folder / TUNING_FILE
    if not path.is_file() or sha256_of(path) != recorded:
        raise BundleError(f"bundle {folder.name}: {TUNING_FILE} is not as it was written; restore it")
    return tuning_from_json(json.loads(path.read_text(encoding="utf-8")))

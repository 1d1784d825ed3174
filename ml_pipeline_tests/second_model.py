"""A second model without a second training: the bundle of a champion, written anew with another content."""

import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.io.model_bundle import json_bytes, parquet_bytes, read_bundle, write_bundle
from ml_pipeline.operations.bundle_scorer import GOLDEN
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.site import Site

Files = dict[str, bytes]


def another_threshold(files: Files, threshold: float = 0.5) -> Files:
    """The same probabilities and another decision: a sound model of another version."""
    return files | {"threshold.json": json_bytes({"threshold": threshold})}


def other_golden_rows(files: Files) -> Files:
    """A model that is not the one that was trained: its golden rows say so, and every hash is right."""
    golden = pq.read_table(io.BytesIO(files[GOLDEN]))
    place = golden.schema.get_field_index("golden_probability")
    moved = pa.array(golden.column("golden_probability").to_numpy() + 1e-6)
    return files | {GOLDEN: parquet_bytes(golden.set_column(place, "golden_probability", moved))}


def recalibrated(files: Files, low: float, high: float) -> Files:
    """A sound model, golden rows included, whose probabilities lie between ``low`` and ``high``."""
    golden = pq.read_table(io.BytesIO(files[GOLDEN]))
    place = golden.schema.get_field_index("golden_probability")
    mapped = pa.array(np.interp(golden.column("golden_score").to_numpy(), [0.0, 1.0], [low, high]))
    calibrator = {"kind": "isotonic", "inputs": [0.0, 1.0], "outputs": [low, high], "log_loss_by_kind": {}}
    return files | {
        "calibrator.json": json_bytes(calibrator),
        GOLDEN: parquet_bytes(golden.set_column(place, "golden_probability", mapped)),
    }


def constant_answer(files: Files) -> Files:
    """A sound model that says the same of every row: every hash and golden row is right, and the audit is not."""
    return recalibrated(files, 0.25, 0.25)


def unlike_answer(files: Files) -> Files:
    """A sound model that calls every row likely: nothing is wrong with its rows but that no night was ever like that."""
    return recalibrated(files, 0.97, 0.99)


def second_version(site: Site, of: str, change: Callable[[Files], Files] = another_threshold) -> str:
    """Write bundle ``of`` anew with ``change`` made to its files; returns the new version."""
    bundle = read_bundle(site.models, of)
    files = change({name: bundle.content(name) for name in bundle.manifest["files"]})
    facts = {name: value for name, value in bundle.manifest.items() if name != "files"}
    return write_bundle(site.models, files, facts, label=facts["trained_on"]).version


def promoted(site: Site, version: str, effective_from: str, **more: object) -> None:
    """Note in the ledger that ``version`` is champion from a night on, as the gate would."""
    site.ledger(PROMOTIONS).append({
        "challenger": version, "champion_before": None, "judged_on": effective_from, "effective_from": effective_from,
        "is_promoted": True, "reasons": ["a test"], "numbers": {}, **more,
    })  # fmt: skip

"""Trains a model as of a night: blocks, trees, calibration, evaluation, bundle, MLflow version."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ml_pipeline.contracts.training import AFTER_ACCEPTANCE
from ml_pipeline.domain.calibration import UNCALIBRATED
from ml_pipeline.domain.calibration_choice import fit_calibrator
from ml_pipeline.domain.decision import cost_threshold
from ml_pipeline.domain.feature_matrix import fit_encoder
from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.domain.split_report import SplitReport
from ml_pipeline.domain.splits import Blocks
from ml_pipeline.domain.training import train_trees
from ml_pipeline.io.code_version import code_version, package_versions
from ml_pipeline.io.model_bundle import MANIFEST, ModelBundle, json_bytes, read_bundle, read_manifest, write_bundle
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_split import audit_split, require_sound
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.bundle_contents import (
    Contest,
    FittedModel,
    bundle_facts,
    bundle_files,
    load_scorer,
    measure,
)
from ml_pipeline.operations.register import draw_plots, plots_folder, register
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.split_report import describe
from ml_pipeline.operations.training_rows import LabelledRows, Split, open_split, training_blocks
from ml_pipeline.operations.trainings import record_training, recorded_training
from ml_pipeline.operations.tuned_training import (
    TUNING_FILE,
    AppliedTuning,
    newest_tuning,
    require_unseen,
    with_tuning,
)


@dataclass(frozen=True)
class Training:
    """A finished training; ``is_new`` is False if the same inputs had been trained before.

    ``split_audit`` is what the rows of ``split`` were held against before a tree was grown; it has no violation.
    """

    bundle: ModelBundle
    is_new: bool
    split: Split
    split_audit: Audit


def train(site: Site, night: Night) -> Training:
    """Train as of ``night``: from partitions up to it, and from labels known by its cutoff.

    Its parameters are those of the newest tuning up to ``night``, the project's own if there is none. From which Delta
    versions, with what code and where is recorded in the ledger of trainings.

    Raises:
        ValueError: too little history. LookupError: features or labels of a needed night are missing.
        SplitError: the blocks or their labels are not what they must be. Nothing is trained in any of these cases.
    """
    tuning = newest_tuning(site, night)
    site = with_tuning(site, tuning)
    split = replace(open_split(site, night), tuning=tuning)
    require_unseen(tuning, split.blocks)
    report = describe(site, split)
    audit = audit_split(site, split, report)
    require_sound(audit, night)
    existing = _find(site, split.blocks, night, tuning, split.versions)
    if existing is None:
        bundle, contest = make_bundle(site, split, report)
        draw_plots(site, bundle, contest)
    else:
        bundle = existing
        if not plots_folder(site, bundle.version).exists():
            draw_plots(site, bundle, measure(site, split.rows, split.blocks, load_scorer(bundle)))
    if existing is None or recorded_training(site, bundle.version) is None:
        record_training(site, bundle, split.versions)
    register(site, bundle)
    return Training(bundle, is_new=existing is None, split=split, split_audit=audit)


def make_bundle(site: Site, split: Split, report: SplitReport) -> tuple[ModelBundle, Contest]:
    """Fit a model on ``split`` and write its bundle, nothing else; the same split gives the same bytes.

    The parameters are those of the project in ``site``: a tuning that ``split`` names must have been applied to it.
    """
    rows, blocks, night = split.rows, split.blocks, split.night
    model = fit_model(site, rows, blocks)
    site.progress(f"trained {model.trees.tree_count} trees on nights {blocks.train.first} to {blocks.train.last}")
    contest = measure(site, rows, blocks, model.scorer)
    files = bundle_files(site, rows, blocks, model=model, contest=contest, split=report)
    facts = bundle_facts(site, rows, blocks, model=model, night=night)
    facts["inputs_hash"] = _inputs_hash(site, blocks, night, split.tuning, split.versions)
    if split.tuning is not None:
        files[TUNING_FILE] = json_bytes(split.tuning.as_json())
    return write_bundle(site.models, files, facts, label=str(night)), contest


def find_training(site: Site, night: Night, *, versions: Mapping[str, int] | None = None) -> ModelBundle | None:
    """The bundle that a training as of ``night`` would make again, None if something has changed or it never ran.

    ``versions`` names the Delta version of features and labels that are compared, the newest ones if None.
    """
    tuning = newest_tuning(site, night)
    site = with_tuning(site, tuning)
    return _find(site, training_blocks(site, night), night, tuning, versions or {})


def find_bundle(site: Site, night: Night, inputs_hash: str) -> ModelBundle | None:
    """The bundle of ``night`` that was made from inputs with this hash, None if there is none."""
    for path in sorted(site.models.glob(f"{night}-*/{MANIFEST}")):
        if read_manifest(path).get("inputs_hash") == inputs_hash:
            return read_bundle(site.models, path.parent.name)
    return None


def _find(
    site: Site, blocks: Blocks, night: Night, tuning: AppliedTuning | None, versions: Mapping[str, int]
) -> ModelBundle | None:
    return find_bundle(site, night, _inputs_hash(site, blocks, night, tuning, versions))


def _inputs_hash(
    site: Site, blocks: Blocks, night: Night, tuning: AppliedTuning | None, versions: Mapping[str, int]
) -> str:
    told = [*content_hashes(site, blocks, night, versions), tuning.as_json() if tuning else None]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def content_hashes(site: Site, blocks: Blocks, night: Night, versions: Mapping[str, int]) -> list[object]:
    """All that a bundle with ``blocks`` is made from as of ``night``: declarations, code, and the content of its tables."""
    table = features_table(site.sql)
    features = site.tables.published(table, version=versions.get(table))
    labels = site.tables.published(LABELS, version=versions.get(LABELS))
    opened = nights_between(blocks.train.first, night)
    return [
        site.sql.feature_set_version, what_can_change_a_model(site), code_version(), package_versions(),
        [features[past].content_hash for past in opened if past in features and past <= blocks.test.last],
        [labels[past].content_hash for past in opened if past in labels],
    ]  # fmt: skip


def what_can_change_a_model(site: Site) -> dict[str, object]:
    """The parts of project.yml that a model is made from."""
    parts = {"training", "label", "baseline", "decision", "entity_key"}
    return site.project.model_dump(mode="json", include=parts, exclude={"training": set(AFTER_ACCEPTANCE)})


def fit_model(site: Site, rows: LabelledRows, blocks: Blocks) -> FittedModel:
    """Encoder, trees, calibrator and threshold, each from its own block of ``rows``."""
    train_rows = rows.block(blocks.train)
    encoder = fit_encoder(train_rows.rows, site.sql.features)
    early = rows.block(blocks.early_stop)
    trees = train_trees(
        site.project.training, encoder,
        train=(encoder.transform(train_rows.rows), train_rows.labels),
        early_stop=(encoder.transform(early.rows), early.labels),
        threads=site.threads, nights=(train_rows.nights, early.nights),
    )  # fmt: skip
    held = rows.block(blocks.calibrate)
    uncalibrated = Scorer(encoder, trees.text, UNCALIBRATED, 0.5)
    scores = raw_scores(uncalibrated, encoder.transform(held.rows), threads=site.threads)
    return FittedModel(
        encoder, trees, fit_calibrator(scores, held.labels, held.nights), cost_threshold(site.project.decision)
    )

"""Recalibration alone: a new bundle with the same trees and a calibrator of the nights that have matured since.

A base rate moves faster than what tells one row from another. Then new trees are a dear answer, learned from few new
nights, and a new map from score to probability a cheap one.
"""

import hashlib
import json
from dataclasses import dataclass, replace

from ml_pipeline.domain.calibration import UNCALIBRATED
from ml_pipeline.domain.calibration_choice import fit_calibrator
from ml_pipeline.domain.decision import cost_threshold
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.domain.split_report import SplitReport
from ml_pipeline.domain.splits import Block, Blocks
from ml_pipeline.domain.training import TrainedTrees
from ml_pipeline.io.model_bundle import ModelBundle, json_bytes, read_bundle, write_bundle
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_model import require_same_features
from ml_pipeline.operations.audit_split import audit_split, require_sound
from ml_pipeline.operations.bundle_contents import (
    Contest,
    FittedModel,
    bundle_facts,
    bundle_files,
    load_scorer,
    measure,
)
from ml_pipeline.operations.register import draw_plots, register
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.split_report import SPLIT_FILE, describe
from ml_pipeline.operations.train import content_hashes, find_bundle
from ml_pipeline.operations.training_rows import Split, open_split
from ml_pipeline.operations.trainings import record_training
from ml_pipeline.operations.tuned_training import TUNING_FILE, tuning_of, with_tuning

SOURCE = "recalibrated_from"


@dataclass(frozen=True)
class Recalibration:
    """A finished recalibration; ``is_new`` is False if the same inputs had given it before.

    ``split_audit`` is what the rows of its blocks were held against before anything was fitted; it has no violation.
    """

    bundle: ModelBundle
    is_new: bool
    split_audit: Audit


def recalibrate(site: Site, version: str, night: Night) -> Recalibration:
    """Give the trees of bundle ``version`` a calibrator as of ``night``, and make, record and register that bundle.

    Its train and early-stop blocks are those of the trees. Calibrate and test block are the newest nights whose labels
    are known, which those trees have not seen. Whether it serves is for the gate to say, as of any challenger.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
        ValueError: too few nights have matured since its trees were grown, or the SQL has changed since.
        LookupError: features or labels of a needed night are missing. SplitError: the blocks are not what they must be.
    """
    source = read_bundle(site.models, version)
    require_same_features(site, source)
    split = open_split(site, night, blocks=recalibration_blocks(site, source, night))
    tuned = with_tuning(site, tuning_of(source))
    report = describe(tuned, split)
    audit = audit_split(tuned, split, report)
    require_sound(audit, night)
    existing = find_bundle(site, night, _inputs_hash(tuned, source, split))
    if existing is not None:
        register(site, existing)
        return Recalibration(existing, is_new=False, split_audit=audit)
    bundle, contest = make_recalibrated(site, source, split, report)
    draw_plots(site, bundle, contest)
    record_training(site, bundle, split.versions)
    register(site, bundle)
    return Recalibration(bundle, is_new=True, split_audit=audit)


def make_recalibrated(
    site: Site, source: ModelBundle, split: Split, report: SplitReport
) -> tuple[ModelBundle, Contest]:  # fmt: skip
    """Fit a calibrator on ``split`` and write the bundle, nothing else; the same source and split give the same bytes."""
    tuning = tuning_of(source)
    tuned = with_tuning(site, tuning)
    model = _fitted(tuned, source, split)
    contest = measure(tuned, split.rows, split.blocks, model.scorer)
    files = bundle_files(tuned, split.rows, split.blocks, model=model, contest=contest, split=report)
    facts = bundle_facts(tuned, split.rows, split.blocks, model=model, night=split.night)
    facts |= {"inputs_hash": _inputs_hash(tuned, source, split), SOURCE: source.version}
    if tuning is not None:
        files[TUNING_FILE] = json_bytes(tuning.as_json())
    return write_bundle(site.models, files, facts, label=str(split.night)), contest


def recalibration_blocks(site: Site, source: ModelBundle, night: Night) -> Blocks:
    """The blocks of a recalibration of ``source`` as of ``night``.

    Raises:
        ValueError: the calibrate block would reach into the nights that grew the trees, or into the gap after them; or
            ``source`` is a refit.
    """
    if source.refit_of is not None:
        raise ValueError(
            f"{source.version} is a refit: it has no nights of its own that could judge a new calibrator. Recalibrate its "
            f"recipe, {source.refit_of}, by naming that version, or train anew"
        )
    training, gap = site.project.training, int(source.json(SPLIT_FILE)["gap_nights"])
    train, early_stop = (_block(source, purpose) for purpose in ("train", "early_stop"))
    last = nights_back(night, site.project.label.horizon_nights)
    test = Block("test", nights_back(last, training.test_nights - 1), last)
    last = nights_back(test.first, gap + 1)
    calibrate = Block("calibrate", nights_back(last, training.calibrate_nights - 1), last)
    if (calibrate.first - early_stop.last).days - 1 < gap:
        missing = gap + 1 - (calibrate.first - early_stop.last).days
        raise ValueError(
            f"the trees of {source.version} know nights up to {early_stop.last}; to calibrate them as of {night} is "
            f"{missing} nights too early"
        )
    return Blocks(train, early_stop, calibrate, test, gap)


def _block(source: ModelBundle, purpose: str) -> Block:
    first, last = (Night.fromisoformat(text) for text in source.manifest["blocks"][purpose])
    return Block(purpose, first, last)


def _fitted(site: Site, source: ModelBundle, split: Split) -> FittedModel:
    known = load_scorer(source)
    held = split.rows.block(split.blocks.calibrate)
    scores = raw_scores(
        replace(known, calibrator=UNCALIBRATED), known.encoder.transform(held.rows), threads=site.threads
    )
    trees = TrainedTrees(
        known.trees_text, int(source.manifest["tree_count"]), dict(source.manifest["gain_by_feature"]), float("nan"),
        tuple(source.manifest.get("member_tree_counts", ())),
    )  # fmt: skip
    calibrator = fit_calibrator(scores, held.labels, held.nights)
    return FittedModel(known.encoder, trees, calibrator, cost_threshold(site.project.decision))


def _inputs_hash(site: Site, source: ModelBundle, split: Split) -> str:
    told = [*content_hashes(site, split.blocks, split.night, split.versions), source.version]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

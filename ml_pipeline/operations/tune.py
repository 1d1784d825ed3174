"""Tunes the training as of a night: trials on walk-forward folds inside of the train block, and a record of all of them."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_pipeline.contracts.training import AFTER_ACCEPTANCE
from ml_pipeline.contracts.tuning import TuningContract
from ml_pipeline.domain.calibration import UNCALIBRATED
from ml_pipeline.domain.evaluation import evaluate, row_log_loss
from ml_pipeline.domain.feature_matrix import FeatureEncoder, fit_encoder
from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.domain.splits import Block, Blocks, Fold, walk_forward
from ml_pipeline.domain.training import Rows, train_trees
from ml_pipeline.domain.tuning import FoldScore, Trial, TrialResult, apply_parameters, choose_trial, draw_trials
from ml_pipeline.io.code_version import code_version, package_versions
from ml_pipeline.io.provenance import provenance
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import LabelledRows, Split, open_split
from ml_pipeline.operations.tuned_training import TUNINGS

_CLOCKED = ("seconds", "provenance", "number", "recorded_at", "previous", "content_hash")


@dataclass(frozen=True)
class Tuning:
    """A finished tuning; ``record`` is its ledger entry, ``is_new`` False if the same search had been recorded before."""

    record: dict[str, Any]
    is_new: bool


def tune(site: Site, night: Night) -> Tuning:
    """Search as of ``night`` by the project's ``tuning`` and record every trial and the choice.

    Only rows of the train block are looked at, so that each later block still judges what it has not chosen. Trainings
    of this and of later nights use the choice.

    Raises:
        ValueError: the project declares no tuning, or there is too little history for its folds.
        LookupError: features or labels of a needed night are missing.
    """
    contract = site.project.tuning
    if contract is None:
        raise ValueError("project.yml declares no tuning; add a section tuning with trials, folds and space")
    split = open_split(site, night)
    folds = _folds(site, contract, split.blocks)
    inputs_hash = _inputs_hash(site, split, folds)
    for entry in reversed(site.ledger(TUNINGS).entries()):
        if entry["inputs_hash"] == inputs_hash and not entry["is_ended_early"]:
            return Tuning(entry, is_new=False)
    began = time.monotonic()
    results = list(_tried(site, contract, split.rows, folds))
    record = _record(night, split.blocks, folds, results, len(draw_trials(contract, seed=0)))
    record |= {"inputs_hash": inputs_hash, "seconds": round(time.monotonic() - began, 1)}
    record |= {
        "provenance": provenance(site.threads).as_json(),
        "code_version": code_version(),
        "packages": package_versions(),
    }
    record["content_hash"] = content_hash_of(record)
    site.ledger(TUNINGS).append(record)
    return Tuning(record, is_new=True)


def content_hash_of(record: Mapping[str, Any]) -> str:
    """Of what a record says, without the clock and the machine: the same search gives the same hash anywhere."""
    content = {name: value for name, value in record.items() if name not in _CLOCKED}
    content["trials"] = [
        {name: value for name, value in trial.items() if name not in _CLOCKED} for trial in record["trials"]
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _folds(site: Site, contract: TuningContract, blocks: Blocks) -> tuple[Fold, ...]:
    """Each fold's train block must leave room for an early-stop block of its own, a gap before it, and as many nights."""
    training = site.project.training
    return walk_forward(
        blocks.train, folds=contract.folds, validate_nights=contract.validate_nights, gap_nights=blocks.gap_nights,
        least_train_nights=2 * training.early_stop_nights + blocks.gap_nights,
    )  # fmt: skip


def _tried(
    site: Site, contract: TuningContract, rows: LabelledRows, folds: tuple[Fold, ...]
) -> Iterator[tuple[TrialResult, float]]:
    """Results with their seconds. The clock decides how many trials there are, never what one of them finds."""
    prepared = [_prepare(site, rows, fold) for fold in folds]
    began, longest = time.monotonic(), 0.0
    for trial in draw_trials(contract, seed=site.project.training.seed):
        start = time.monotonic()
        if trial.number > 1 and start - began + longest > contract.budget_seconds:
            site.progress(f"the budget of {contract.budget_seconds:g} s ended the search before trial {trial.number}")
            return
        result = TrialResult(trial, tuple(_score(site, trial, one) for one in prepared))
        longest = max(longest, time.monotonic() - start)
        site.progress(
            f"trial {trial.number} of {contract.trials}: log loss {result.log_loss:.5f}, {dict(trial.parameters)}"
        )
        yield result, time.monotonic() - start


@dataclass(frozen=True)
class _PreparedFold:
    """The rows of a fold as numbers, made once for all trials; the encoder knows the fold's train block alone."""

    fold: Fold
    gap_nights: int
    encoder: FeatureEncoder
    train: Rows
    train_nights: np.ndarray[Any, np.dtype[np.datetime64]]
    validate: Rows
    validate_nights: np.ndarray[Any, np.dtype[np.datetime64]]


def _prepare(site: Site, rows: LabelledRows, fold: Fold) -> _PreparedFold:
    train, validate = rows.block(fold.train), rows.block(fold.validate)
    encoder = fit_encoder(train.rows, site.sql.features)
    gap = (fold.validate.first - fold.train.last).days - 1
    return _PreparedFold(
        fold, gap, encoder, (encoder.transform(train.rows), train.labels), train.nights,
        (encoder.transform(validate.rows), validate.labels), validate.nights,
    )  # fmt: skip


def _score(site: Site, trial: Trial, prepared: _PreparedFold) -> FoldScore:
    """Train on the fold as a training does, its early-stop nights the last of the fold's train block."""
    training = apply_parameters(site.project.training, trial.parameters)
    whole = prepared.fold.train
    stop = Block("early_stop", nights_back(whole.last, training.early_stop_nights - 1), whole.last)
    last = nights_back(stop.first, prepared.gap_nights + 1)
    first = (
        whole.first
        if training.history_nights is None
        else max(whole.first, nights_back(last, training.history_nights - 1))
    )
    parts = [_within(prepared, block) for block in (Block("train", first, last), stop)]
    trees = train_trees(
        training, prepared.encoder, threads=site.threads,
        train=(prepared.train[0][parts[0]], prepared.train[1][parts[0]]),
        early_stop=(prepared.train[0][parts[1]], prepared.train[1][parts[1]]),
        nights=(prepared.train_nights[parts[0]], prepared.train_nights[parts[1]]),
    )  # fmt: skip
    scores = raw_scores(
        Scorer(prepared.encoder, trees.text, UNCALIBRATED, 0.5), prepared.validate[0], threads=site.threads
    )
    return FoldScore(
        prepared.fold.number, prepared.validate_nights, row_log_loss(prepared.validate[1], scores),
        leaves=sum(int(line.removeprefix("num_leaves=")) for line in trees.text.splitlines() if line.startswith("num_leaves=")),
        metrics=evaluate(prepared.validate[1], scores).as_dict(),
    )  # fmt: skip


def _within(prepared: _PreparedFold, block: Block) -> np.ndarray[Any, np.dtype[np.intp]]:
    nights = prepared.train_nights
    chosen = np.flatnonzero((nights >= np.datetime64(block.first)) & (nights <= np.datetime64(block.last)))
    if not len(chosen):
        raise LookupError(f"block {block.purpose} ({block.first} to {block.last}) has no row with a known label")
    return chosen


def _record(
    night: Night, blocks: Blocks, folds: tuple[Fold, ...], results: list[tuple[TrialResult, float]], declared: int
) -> dict[str, Any]:
    choice = choose_trial([result for result, _ in results])
    return {
        "night": str(night), "last_used_night": str(blocks.train.last),
        "folds": [{block.purpose: [str(block.first), str(block.last)] for block in fold.in_order} for fold in folds],
        "trials": [_row(result, seconds) for result, seconds in results],
        "trials_declared": declared, "is_ended_early": len(results) < declared,
        "chosen": choice.chosen, "best": choice.best, "parameters": dict(choice.parameters),
        "worse_by": choice.worse_by, "standard_error": choice.standard_error, "reasons": list(choice.reasons),
    }  # fmt: skip


def _row(result: TrialResult, seconds: float) -> dict[str, Any]:
    return {
        "trial": result.trial.number, "parameters": dict(result.trial.parameters), "log_loss": result.log_loss,
        "leaves": result.leaves, "folds": [{"fold": fold.fold, **fold.metrics} for fold in result.folds],
        "seconds": round(seconds, 2),
    }  # fmt: skip


def _inputs_hash(site: Site, split: Split, folds: tuple[Fold, ...]) -> str:
    """Of all that a search depends on but its budget: rows and labels of the train block, declarations and code."""
    rows = split.rows.block(split.blocks.train)
    parts = {"training", "tuning", "label", "entity_key"}
    told = site.project.model_dump(mode="json", include=parts, exclude={"training": set(AFTER_ACCEPTANCE)})
    told["tuning"].pop("budget_seconds")
    digest = hashlib.sha256(json.dumps([
        str(split.night), site.sql.feature_set_version, told, code_version(), package_versions(), len(folds),
    ], sort_keys=True).encode())  # fmt: skip
    encoder = fit_encoder(rows.rows, site.sql.features)
    for part in (encoder.transform(rows.rows), rows.labels, rows.nights):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()

"""The evidence for or against a refit: the accepted recipe and its refit, side by side on walk-forward folds.

The folds walk over all matured nights, those of the test block too. That is no second look at the test: the verdict is
given, its numbers stay what they are, and no later comparison counts these nights (``domain/contamination.py``). What is
chosen is how far the accepted recipe may look, not which recipe it is.
"""

import time
from collections.abc import Sequence

from ml_pipeline.domain.evaluation import row_log_loss
from ml_pipeline.domain.refit import Floats, RefitDecision, RefitFold, decide_refit
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.domain.splits import Blocks, Fold, split_blocks, walk_forward
from ml_pipeline.io.code_version import code_version, package_versions
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.provenance import provenance
from ml_pipeline.nights import Night
from ml_pipeline.operations.bundle_contents import FittedModel
from ml_pipeline.operations.refit_bundle import matured_nights, recipe_site, regrown
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import fit_model
from ml_pipeline.operations.training_rows import LabelledRows, Split, label_window_nights

REFITS = "refits"


def recorded_decision(site: Site, version: str, night: Night) -> RefitDecision | None:
    """What was last decided on a refit of bundle ``version`` as of ``night``, None if nothing was."""
    for entry in reversed(site.ledger(REFITS).entries()):
        if (entry["version"], entry["night"]) == (version, str(night)):
            return RefitDecision(entry["is_refit"], tuple(entry["reasons"]), entry["numbers"])
    return None


def decide(site: Site, source: ModelBundle, split: Split) -> RefitDecision:
    """Walk forward over ``split``, the rows that ``source`` was trained on, decide, and record it; a "no" too.

    Where too few nights have matured for the folds the decision is a "no": the promotion stands, but nothing was proven.

    Raises:
        LookupError: a block of a fold has no row with a known label.
    """
    began = time.monotonic()
    try:
        folds = lay_folds(site, source, split)
    except ValueError as error:
        decision = RefitDecision(False, (f"there is no evidence: {error}",))
    else:
        decision = decide_refit(
            judge_folds(site, source, split, folds), confidence=site.project.promotion.confidence,
            seed=site.project.training.seed,
        )  # fmt: skip
    site.ledger(REFITS).append({
        "version": source.version, "night": str(split.night), "is_refit": decision.is_refit,
        "reasons": list(decision.reasons), "numbers": dict(decision.numbers), "table_versions": dict(split.versions),
        "code_version": code_version(), "packages": package_versions(), "seconds": round(time.monotonic() - began, 1),
        "provenance": provenance(site.threads).as_json(),
    })  # fmt: skip
    return decision


def lay_folds(site: Site, source: ModelBundle, split: Split) -> tuple[tuple[Fold, Blocks], ...]:
    """Each fold with the blocks of a training of ``source``'s recipe as of the first night that the fold is judged on.

    Raises:
        ValueError: too few nights have matured for the folds that project.yml declares.
    """
    declared, training = site.project.training, recipe_site(site, source).project.training
    horizon, whole = site.project.label.horizon_nights, matured_nights(split.blocks)
    held_back = training.early_stop_nights + training.calibrate_nights + training.test_nights
    folds = walk_forward(
        whole, folds=declared.refit_folds, validate_nights=declared.refit_validate_nights, gap_nights=horizon - 1,
        least_train_nights=held_back + 3 * split.blocks.gap_nights + training.early_stop_nights,
    )  # fmt: skip
    warm = training.model_copy(update={"warmup_nights": 0})
    return tuple(
        (fold, split_blocks(
            warm, trained_on=fold.validate.first, first_night=whole.first, label_horizon_nights=horizon,
            label_window_nights=label_window_nights(site),
        )) for fold in folds
    )  # fmt: skip


def judge_folds(
    site: Site, source: ModelBundle, split: Split, folds: Sequence[tuple[Fold, Blocks]]
) -> list[RefitFold]:  # fmt: skip
    """In each fold: train as ``source`` was trained, refit that as it would be refit, and score the nights that follow."""
    recipe = recipe_site(site, source)
    found = []
    for fold, blocks in folds:
        found.append(_judged(recipe, split.rows, fold, blocks))
        site.progress(
            f"refit fold {fold.number} of {len(folds)}, {fold.validate.first} to {fold.validate.last}: log loss "
            f"{found[-1].recipe.mean():.5f} as accepted, {found[-1].refit.mean():.5f} refit"
        )
    return found


def _judged(recipe: Site, rows: LabelledRows, fold: Fold, blocks: Blocks) -> RefitFold:
    judged = rows.block(fold.validate)
    accepted = fit_model(recipe, rows, blocks)
    refit = regrown(recipe, accepted, rows.block(matured_nights(blocks)))
    losses = [_losses(model, judged, recipe.threads) for model in (accepted, refit)]
    return RefitFold(fold.number, judged.nights, *losses)


def _losses(model: FittedModel, judged: LabelledRows, threads: int) -> Floats:
    scores = raw_scores(model.scorer, model.encoder.transform(judged.rows), threads=threads)
    return row_log_loss(judged.labels, model.calibrator.probability(scores))

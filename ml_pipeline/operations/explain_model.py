"""Explains a model on its own test block: what moves it, what it needs, where it fails, how it behaves."""

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.ablation import ablate_groups
from ml_pipeline.domain.behaviour import try_behaviour
from ml_pipeline.domain.cost_sensitivity import cost_sensitivity
from ml_pipeline.domain.importance import contributions, global_importance
from ml_pipeline.domain.model_review import ModelReview
from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.domain.worst_cases import worst_cases
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.nights import Night
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.promote import champions_of
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import LabelledRows, labelled_rows

_ROWS_EXPLAINED = 4000


def review_model(site: Site, night_or_bundle: Night | ModelBundle, *, worst: int = 10) -> ModelReview:
    """Review the champion of a night, or a bundle, on the rows that its training tested it on.

    A refit has seen all of these rows: its recipe is reviewed in its place.
    Read-only. Nothing is chosen by what it finds, so the test block stays a test block. Rows are those of the bundle's own
    feature set, with the labels that its training knew; the costs and the declared behaviour are the project's present ones.

    Args:
        site: the installation.
        night_or_bundle: a night that has a champion, or any bundle.
        worst: misses, and as many false alarms, to show.

    Raises:
        NoChampionError: the night has none. BundleError: the bundle is damaged.
        LookupError: features or labels of the test block are gone; names them and what to materialise.
        ValueError: ``behaviour`` in project.yml names a feature that the model does not have.
    """
    bundle = _bundle(site, night_or_bundle)
    first, last = (Night.fromisoformat(text) for text in bundle.manifest["blocks"]["test"])
    known_by = Night.fromisoformat(bundle.manifest["trained_on"])
    table = features_table(bundle.feature_set)
    test = labelled_rows(site, table, first=first, last=last, known_by=known_by)
    if not len(test.labels):
        raise LookupError(
            f"bundle {bundle.version}: its test block ({first} to {last}) has no row with a known label; build labels for "
            f"{first} to {known_by} first"
        )
    return _review(site, bundle, test, (first, last), worst)


def _bundle(site: Site, night_or_bundle: Night | ModelBundle) -> ModelBundle:
    if isinstance(night_or_bundle, ModelBundle):
        bundle = night_or_bundle
    else:
        (version,) = champions_of(site, [night_or_bundle])
        bundle = read_bundle(site.models, version)
    return bundle if bundle.refit_of is None else read_bundle(site.models, bundle.refit_of)


def _review(
    site: Site, bundle: ModelBundle, test: LabelledRows, nights: tuple[Night, Night], worst: int
) -> ModelReview:
    scorer = load_scorer(bundle)
    matrix: NDArray[np.float32] = scorer.encoder.transform(test.rows)
    probabilities = scorer.calibrator.probability(raw_scores(scorer, matrix, threads=site.threads))
    # TreeSHAP costs a hundred times a prediction; a mean over evenly spread rows needs no more of them.
    explained = matrix[:: -(-len(matrix) // _ROWS_EXPLAINED)]
    seed = int(bundle.manifest["seed"])
    return ModelReview(
        bundle.version, *nights, len(test.labels),
        global_importance(scorer, contributions(scorer, explained, threads=site.threads)),
        ablate_groups(
            scorer, _groups(bundle, scorer), matrix=matrix, labels=test.labels, nights=test.nights, seed=seed,
            threads=site.threads,
        ),
        worst_cases(
            scorer, test.rows, bundle.feature_set.project.entity_key, matrix=matrix, labels=test.labels,
            probabilities=probabilities, count=worst, threads=site.threads,
        ),
        try_behaviour(site.project.behaviour, scorer, matrix, test.nights, seed=seed, threads=site.threads),
        cost_sensitivity(site.project.decision, test.labels, probabilities),
    )  # fmt: skip


def _groups(bundle: ModelBundle, scorer: Scorer) -> dict[str, tuple[str, ...]]:
    """Features of the model by the feature model that makes them; a group that the model takes nothing from is left out."""
    sql, taken = bundle.feature_set, set(scorer.encoder.names)
    declared = {
        model.name: tuple(column.name for column in sql.contracts[model.name].columns if column.name in taken)
        for model in sql.in_folder("features")
    }
    return {group: features for group, features in declared.items() if features}

"""Sets up the comparison that the gate judges: challenger, baseline and champion on the challenger's test block."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.contamination import ComparedRows, UsedNights
from ml_pipeline.domain.decision import decide_rows
from ml_pipeline.domain.gate import Traits
from ml_pipeline.domain.gate_findings import COMPETITORS, Contestant
from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.domain.simple_models import SimpleModels
from ml_pipeline.domain.simple_models_json import simple_models_from_json
from ml_pipeline.domain.splits import Block
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.bundle_contents import SIMPLE_MODELS, baseline_rates, load_scorer
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.split_report import SPLIT_FILE
from ml_pipeline.operations.training_rows import LabelledRows, labelled_rows

Floats = NDArray[np.float64]
_NOT_KNOWN = "not known"


class DamagedChampionError(BundleError):
    """The champion's bundle is missing or damaged, so that nobody can be compared with it."""


@dataclass(frozen=True)
class Comparison:
    """What the gate is given; ``traits`` are the values of the declared slices and groups, one entry a row.

    ``simple`` are the simple models of the challenger by name, none for a bundle from before there were any. ``remarks``
    are what a reader of the verdict has to know of the contestants.
    """

    challenger: Contestant
    baseline: Contestant
    champion: Contestant | None
    simple: Mapping[str, Contestant]
    traits: Traits
    remarks: tuple[str, ...] = ()


def set_up_comparison(site: Site, version: str, champion: str | None, night: Night) -> Comparison:
    """Score the test block of bundle ``version`` with it, with the baseline and with ``champion``.

    Each model reads the features that its own SQL makes; labels are those known to ``night``. A champion that is a refit is
    represented by its recipe: it learned from every night that had matured, and would be praised for rows that it knows.

    Raises:
        DamagedChampionError: the champion is. BundleError: the challenger is. LookupError: features or labels of the block are missing.
        ValueError: a declared slice or group is no category feature of the challenger, or the challenger is a refit.
    """
    bundle = read_bundle(site.models, version)
    if bundle.refit_of is not None:
        raise ValueError(
            f"{version} is a refit of {bundle.refit_of}: it has seen every night that could judge it; ask the gate about "
            "that one"
        )
    first, last = (Night.fromisoformat(day) for day in bundle.manifest["blocks"]["test"])
    rows, scorer = contest_rows(site, bundle, first, last, night), load_scorer(bundle)
    standing_in, remarks = _represented(site, champion)
    rates = baseline_rates(site, rows.rows, float(bundle.manifest["positive_share"]))
    return Comparison(
        _contestant(site, bundle, rows, scorer, is_champion=False),
        said(site, "baseline", rows, rates, rates, threshold=scorer.threshold, used=None),
        _champion(site, standing_in, first=first, last=last, night=night),
        competitors(site, bundle, rows, scorer.threshold),
        traits_of(site, bundle, rows.rows),
        remarks,
    )


def contest_rows(site: Site, bundle: ModelBundle, first: Night, last: Night, night: Night) -> LabelledRows:
    """The rows of nights ``first`` to ``last`` with the features of ``bundle``'s own SQL, and the labels known to ``night``."""
    sql = bundle.feature_set
    build_features(site, nights_between(first, last), sql=sql)
    return labelled_rows(site, features_table(sql), first=first, last=last, known_by=night)


def _represented(site: Site, champion: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Who is compared with in the place of ``champion``, and why, in words."""
    try:
        recipe = None if champion is None else read_bundle(site.models, champion).refit_of
    except BundleError:
        # What is damaged is refused where it is scored.
        recipe = None
    if recipe is None:
        return champion, ()
    return recipe, (f"champion {champion} is a refit that has seen these rows: compared with its recipe, {recipe}",)


def _champion(site: Site, version: str | None, *, first: Night, last: Night, night: Night) -> Contestant | None:
    """The champion was chosen on its own test block, so that is no fair test for it either."""
    if version is None:
        return None
    try:
        bundle = read_bundle(site.models, version)
        rows = contest_rows(site, bundle, first, last, night)
        return _contestant(site, bundle, rows, load_scorer(bundle), is_champion=True)
    except BundleError as error:
        raise DamagedChampionError(
            f"no comparison with champion {version} is possible, so nobody is promoted over it: {error}; or go back to the "
            "champion before it: ml-pipeline rollback"
        ) from error


def competitors(site: Site, bundle: ModelBundle, rows: LabelledRows, threshold: float) -> dict[str, Contestant]:
    """The simple models that came with ``bundle``, on ``rows``. They learned from the train block of ``bundle``, and from no other."""
    models = simple_models(bundle)
    if models is None:
        return {}
    used = used_nights(bundle, is_champion=False)
    train = UsedNights(tuple(block for block in used.blocks if block.purpose == "train"), used.gap_nights)
    rates = models.probabilities(rows.rows)
    return {
        name: said(site, name, rows, rates[name], rates[name], threshold=threshold, used=train) for name in COMPETITORS
    }


def simple_models(bundle: ModelBundle) -> SimpleModels | None:
    """The simple models of a verified bundle, None if it is from before there were any.

    Raises:
        BundleError: they are not what a training writes.
    """
    if SIMPLE_MODELS not in bundle.manifest["files"]:
        return None
    try:
        models = simple_models_from_json(bundle.json(SIMPLE_MODELS))
    except ValueError as error:
        raise bundle.refused(f"{SIMPLE_MODELS}: {error}") from error
    numbers = {feature.name for feature in bundle.feature_set.features if feature.type == "number"}
    if unknown := sorted({models.baseline_feature, *models.logistic.features} - numbers):
        raise bundle.refused(f"{SIMPLE_MODELS} names {unknown}, which are no numeric features of the model")
    return models


def _contestant(
    site: Site, bundle: ModelBundle, rows: LabelledRows, scorer: Scorer, *, is_champion: bool
) -> Contestant:
    raw = (
        raw_scores(scorer, scorer.encoder.transform(rows.rows), threads=site.threads)
        if len(rows.labels)
        else np.empty(0)
    )
    probability, used = scorer.calibrator.probability(raw), used_nights(bundle, is_champion=is_champion)
    return said(site, bundle.version, rows, probability, raw, threshold=scorer.threshold, used=used)


def said(
    site: Site, name: str, rows: LabelledRows, probability: Floats, score: Floats, *, threshold: float,
    used: UsedNights | None,
) -> Contestant:  # fmt: skip
    """Who says ``probability`` of ``rows``, and what it would act on by the project's costs or capacity."""
    keys = rows.rows.select([SCORE_DATE, *site.project.entity_key])
    acts = decide_rows(site.project.decision, threshold, keys, probability=probability, score=score).acts
    return Contestant(name, ComparedRows(keys, rows.labels), probability, acts, used)


def used_nights(bundle: ModelBundle, *, is_champion: bool) -> UsedNights:
    """The blocks that the manifest of ``bundle`` names, whatever their purpose. The test block chose a champion."""
    blocks = [
        Block(purpose, Night.fromisoformat(days[0]), Night.fromisoformat(days[1]))
        for purpose, days in bundle.manifest["blocks"].items()
    ]
    test = tuple(block for block in blocks if block.purpose == "test")
    learned = tuple(block for block in blocks if block.purpose != "test")
    return UsedNights(learned, int(bundle.json(SPLIT_FILE)["gap_nights"]), test if is_champion else ())


def traits_of(site: Site, bundle: ModelBundle, rows: pa.Table) -> dict[str, NDArray[np.object_]]:
    """The values of the declared slices and groups, one entry a row."""
    terms = site.project.promotion
    categories = {feature.name for feature in bundle.feature_set.features if feature.type == "category"}
    if unknown := sorted({*terms.slices, *terms.groups} - categories):
        raise ValueError(
            f"project.yml: promotion names {unknown}, which are no category features of model {bundle.version} (it has "
            f"{sorted(categories)}); correct promotion.slices and promotion.groups"
        )
    return {name: _values(rows, name) for name in (*terms.slices, *terms.groups)}


def _values(rows: pa.Table, name: str) -> NDArray[np.object_]:
    return np.array([_NOT_KNOWN if one is None else str(one) for one in rows.column(name).to_pylist()], dtype=object)

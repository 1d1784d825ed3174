"""Makes a refit: the recipe of an accepted bundle, grown once more on all nights that had matured when it was trained.

Encoder and threshold stay those of the recipe. A calibrator it has none: the trees' score is its probability. That of the
recipe moves old trees to the newest rate, which the refit has learned, and it would be moved twice; a new one would need
nights that the trees do not know, and a refit is made to know them all. The evidence measures the refit as it would serve.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from ml_pipeline.domain.calibration import UNCALIBRATED
from ml_pipeline.domain.document import document_markdown
from ml_pipeline.domain.document_html import document_html
from ml_pipeline.domain.model_card import RefitNights, model_card
from ml_pipeline.domain.splits import Block, Blocks
from ml_pipeline.domain.training import TrainedTrees, regrow_trees
from ml_pipeline.io.model_bundle import REFIT_OF, ModelBundle, json_bytes, parquet_bytes, write_bundle
from ml_pipeline.nights import Night
from ml_pipeline.operations.bundle_contents import FittedModel, bundle_facts, load_scorer, reference_sample
from ml_pipeline.operations.bundle_scorer import GOLDEN, golden_rows
from ml_pipeline.operations.model_cards import card_facts
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.split_report import SPLIT_FILE
from ml_pipeline.operations.train import content_hashes
from ml_pipeline.operations.training_rows import LabelledRows, Split, open_split
from ml_pipeline.operations.tuned_training import tuning_of, with_tuning


def recipe_site(site: Site, source: ModelBundle) -> Site:
    """``site`` with the project that ``source`` was trained by, tuning and all: project.yml may have changed since."""
    return with_tuning(replace(site, sql=replace(site.sql, project=source.feature_set.project)), tuning_of(source))


def refit_split(site: Site, source: ModelBundle, *, versions: Mapping[str, int]) -> Split:
    """The split that ``source`` was trained on, read again as of ``versions`` (by table).

    Raises:
        LookupError: rows of these versions are gone. BundleError: ``source`` is damaged.
    """
    days = {
        purpose: Block(purpose, *(Night.fromisoformat(text) for text in ends))
        for purpose, ends in source.manifest["blocks"].items()
    }
    gap = int(source.json(SPLIT_FILE)["gap_nights"])
    blocks = Blocks(days["train"], days["early_stop"], days["calibrate"], days["test"], gap)
    return open_split(site, Night.fromisoformat(source.manifest["trained_on"]), versions=versions, blocks=blocks)


def matured_nights(blocks: Blocks) -> Block:
    """All nights that had matured, the gaps between the blocks included: they kept blocks apart, there are none now."""
    return Block("train", blocks.train.first, blocks.test.last)


def regrown(site: Site, model: FittedModel, rows: LabelledRows) -> FittedModel:
    """``model`` with its members grown on ``rows``, as many trees of each as it has, and without its calibrator.

    Raises:
        ValueError: it does not say how many trees its members have, or all labels are alike.
    """
    trees = regrow_trees(
        site.project.training, model.encoder, rows=(model.encoder.transform(rows.rows), rows.labels), nights=rows.nights,
        member_tree_counts=model.trees.member_tree_counts, threads=site.threads,
    )  # fmt: skip
    return replace(model, trees=trees, calibrator=UNCALIBRATED)


def refit_inputs_hash(site: Site, source: ModelBundle, split: Split) -> str:
    """Of all that a refit of ``source`` is made from."""
    recipe = recipe_site(site, source)
    told = [*content_hashes(recipe, split.blocks, split.night, split.versions), REFIT_OF, source.version]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def make_refit(site: Site, source: ModelBundle, split: Split) -> ModelBundle:
    """Grow ``source`` once more on all rows of ``split`` and write the bundle, nothing else; the same gives the same bytes.

    What was measured of the recipe goes into the bundle as it is, and its card says whose numbers they are: a refit is
    not measured, for there is no row left that it has not seen.
    """
    recipe, whole = recipe_site(site, source), matured_nights(split.blocks)
    rows = split.rows.block(whole)
    model = regrown(recipe, fitted_model(source), rows)
    nights = RefitNights(source.version, whole.first, whole.last)
    card = model_card(replace(card_facts(source), gain_by_feature=model.trees.gain_by_feature, refit=nights))
    files = {name: source.content(name) for name in source.manifest["files"]} | {
        "model.txt": model.trees.text.encode(),
        "calibrator.json": json_bytes(model.calibrator.as_json()),
        "reference.parquet": parquet_bytes(reference_sample(rows.rows, model.encoder)),
        GOLDEN: parquet_bytes(golden_rows(model.scorer, rows.rows)),
        "model_card.md": document_markdown(card).encode(),
        "model_card.html": document_html(card).encode(),
    }
    facts = bundle_facts(recipe, split.rows, split.blocks, model=model, night=split.night)
    facts |= {
        "blocks": {"train": [str(whole.first), str(whole.last)]}, "positive_share": float(rows.labels.mean()),
        "inputs_hash": refit_inputs_hash(site, source, split), REFIT_OF: source.version,
    }  # fmt: skip
    return write_bundle(site.models, files, facts, label=str(split.night))


def fitted_model(source: ModelBundle) -> FittedModel:
    """What ``source`` learned, as far as a bundle tells."""
    known, facts = load_scorer(source), source.manifest
    trees = TrainedTrees(
        known.trees_text, int(facts["tree_count"]), dict(facts["gain_by_feature"]), float("nan"),
        tuple(facts.get("member_tree_counts", ())),
    )  # fmt: skip
    return FittedModel(known.encoder, trees, known.calibrator, known.threshold)

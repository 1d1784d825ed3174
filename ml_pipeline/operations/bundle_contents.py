"""What goes into a model bundle, and how a scorer comes out of one again."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.domain.calibration import Calibrator
from ml_pipeline.domain.cost_sensitivity import cost_sensitivity
from ml_pipeline.domain.document import document_markdown
from ml_pipeline.domain.document_html import document_html
from ml_pipeline.domain.evaluation import Metrics, evaluate
from ml_pipeline.domain.feature_matrix import FeatureEncoder
from ml_pipeline.domain.model_card import CardFacts, model_card
from ml_pipeline.domain.reliability import SliceColumn
from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.domain.simple_models import fit_simple_models
from ml_pipeline.domain.simple_models_json import simple_models_as_json
from ml_pipeline.domain.split_report import SplitReport
from ml_pipeline.domain.splits import Blocks
from ml_pipeline.domain.training import TrainedTrees
from ml_pipeline.io.code_version import code_version, package_versions
from ml_pipeline.io.model_bundle import ModelBundle, json_bytes, parquet_bytes
from ml_pipeline.nights import Night
from ml_pipeline.operations.bundle_scorer import GOLDEN, golden_rows, scorer_of
from ml_pipeline.operations.bundle_trial import require_tried
from ml_pipeline.operations.compiled_scorer import with_compiled_trees
from ml_pipeline.operations.evidence import CALIBRATION_FILE, gather_evidence, slice_columns
from ml_pipeline.operations.model_cards import described_sources, features_by_model
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.split_report import SPLIT_FILE
from ml_pipeline.operations.training_rows import LabelledRows

SIMPLE_MODELS = "simple_models.json"
_REFERENCE_ROWS = 5000


@dataclass(frozen=True)
class FittedModel:
    """What a training learned."""

    encoder: FeatureEncoder
    trees: TrainedTrees
    calibrator: Calibrator
    threshold: float

    @property
    def scorer(self) -> Scorer:
        return Scorer(self.encoder, self.trees.text, self.calibrator, self.threshold)


@dataclass(frozen=True)
class Contest:
    """Labels of the test block, and the probabilities of model and baseline on it; each of shape (rows,).

    ``nights`` are the score dates of the rows, ``slices`` the category features by which the project wants them judged.
    """

    labels: NDArray[np.float64]
    model: NDArray[np.float64]
    baseline: NDArray[np.float64]
    nights: NDArray[np.datetime64]
    slices: tuple[SliceColumn, ...]

    @property
    def model_metrics(self) -> Metrics:
        return evaluate(self.labels, self.model)

    @property
    def baseline_metrics(self) -> Metrics:
        return evaluate(self.labels, self.baseline)


def measure(site: Site, rows: LabelledRows, blocks: Blocks, scorer: Scorer) -> Contest:
    """Read the test block: the one time that a training does."""
    test = rows.block(blocks.test)
    raw = raw_scores(scorer, scorer.encoder.transform(test.rows), threads=site.threads)
    otherwise = float(rows.block(blocks.train).labels.mean())
    return Contest(
        test.labels, scorer.calibrator.probability(raw), baseline_rates(site, test.rows, otherwise), test.nights,
        slice_columns(site.project.promotion, test.rows),
    )  # fmt: skip


def baseline_rates(site: Site, rows: pa.Table, otherwise: float) -> NDArray[np.float64]:
    """The baseline's probability of each row, ``otherwise`` where it has none."""
    rates = rows.column(site.project.baseline.feature).to_numpy().astype(np.float64)
    return np.where(np.isnan(rates), otherwise, rates)


def load_scorer(bundle: ModelBundle) -> Scorer:
    """Rebuild the scorer of a verified bundle: text and numbers only, and only after the bundle stood its trial.

    Raises:
        BundleError: the trees cannot be parsed, or the golden rows are not reproduced.
    """
    scorer = scorer_of(bundle)
    require_tried(bundle)
    return with_compiled_trees(bundle, scorer)


def bundle_files(
    site: Site, rows: LabelledRows, blocks: Blocks, *, model: FittedModel, contest: Contest, split: SplitReport
) -> dict[str, bytes]:
    """Every file of the bundle but the manifest; ``split`` is the report of the blocks."""
    evidence = gather_evidence(site.project, contest)
    counts = {block.purpose: len(rows.block(block).labels) for block in blocks.in_order}
    sensitivity = cost_sensitivity(site.project.decision, contest.labels, contest.model)
    card = model_card(CardFacts(
        site.project, described_sources(site.sql), features_by_model(site.sql), site.sql.feature_set_version, split,
        evidence.model, evidence.baseline, evidence.intervals, evidence.calibration, evidence.baseline_points,
        model.calibrator.kind, model.calibrator.log_loss_by_kind, model.threshold, model.trees.gain_by_feature, sensitivity,
    ))  # fmt: skip
    return {
        "model.txt": model.trees.text.encode(),
        "calibrator.json": json_bytes(model.calibrator.as_json()),
        "threshold.json": json_bytes({"threshold": model.threshold, "costs": site.project.decision.model_dump()}),
        "feature_columns.json": json_bytes(model.encoder.as_json()),
        "metrics.json": json_bytes({**evidence.metrics_json(), "rows": counts}),
        CALIBRATION_FILE: json_bytes(evidence.calibration_json()),
        "baseline.parquet": parquet_bytes(_baseline_table(site, rows)),
        "reference.parquet": parquet_bytes(reference_sample(rows.block(blocks.train).rows, model.encoder)),
        GOLDEN: parquet_bytes(golden_rows(model.scorer, rows.block(blocks.train).rows)),
        SPLIT_FILE: json_bytes(split.as_json()),
        SIMPLE_MODELS: json_bytes(_simple_models(site, rows.block(blocks.train))),
        "decision.json": json_bytes(sensitivity.as_json()),
        "model_card.md": document_markdown(card).encode(),
        "model_card.html": document_html(card).encode(),
        **{f"feature_set/{name}": content for name, content in site.sql.feature_set_files().items()},
    }


def _simple_models(site: Site, train: LabelledRows) -> dict[str, Any]:
    """What anyone could have without trees, fitted on the train block alone: the gate lets them compete."""
    feature = site.project.baseline.feature
    models = fit_simple_models(train.rows, train.labels, features=site.sql.features, baseline_feature=feature)
    return simple_models_as_json(models)


def bundle_facts(
    site: Site, rows: LabelledRows, blocks: Blocks, *, model: FittedModel, night: Night
) -> dict[str, object]:
    """What the manifest says besides the hashes of the files: no clock, no host, so that equal models are equal."""
    return {
        "trained_on": str(night),
        "blocks": {block.purpose: [str(block.first), str(block.last)] for block in blocks.in_order},
        "feature_set_version": site.sql.feature_set_version,
        "positive_share": float(rows.block(blocks.train).labels.mean()),
        "seed": site.project.training.seed,
        "code_version": code_version(),
        "packages": package_versions(),
        "tree_count": model.trees.tree_count,
        "member_tree_counts": list(model.trees.member_tree_counts),
        "gain_by_feature": model.trees.gain_by_feature,
    }


def _baseline_table(site: Site, rows: LabelledRows) -> pa.Table:
    """Observed rate and rows by the baseline's keys over all labelled rows: what serves when no model can."""
    keys = list(site.project.baseline.keys)
    table = rows.rows.select(keys).append_column("label", pa.array(rows.labels))
    grouped = table.group_by(keys).aggregate([("label", "mean"), ("label", "count")])
    return grouped.rename_columns([*keys, "rate", "rows"]).sort_by([(name, "ascending") for name in keys])


def reference_sample(rows: pa.Table, encoder: FeatureEncoder) -> pa.Table:
    """Every n-th training row in key order: the same sample each time, from all nights alike."""
    step = max(1, rows.num_rows // _REFERENCE_ROWS)
    return rows.select(list(encoder.names)).take(pa.array(np.arange(0, rows.num_rows, step)))

"""Audits of a training, on its own rows: can it learn where nothing can be learnt, and what did it look at?"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.calibration_choice import fit_calibrator
from ml_pipeline.domain.feature_matrix import FeatureEncoder, fit_encoder
from ml_pipeline.domain.roc import chance_error, roc_auc
from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.domain.splits import Blocks
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.bundle_contents import FittedModel, load_scorer
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import fit_model
from ml_pipeline.operations.training_rows import LabelledRows, Split

Fit = Callable[[Site, LabelledRows, Blocks], FittedModel]

# Enough to learn by heart what can be learnt by heart, and cheap after every training.
_TREES = 30
_SIGMAS = 4.0
# Another machine's mathematics may differ in the last digits; the rows of another block differ long before.
_SAME_PROBABILITY = 1e-9
_HARM = {"number": 1e6, "category": "a level of no night"}


def shuffled_target(site: Site, split: Split, *, fit: Fit = fit_model) -> Audit:
    """Train on labels that were dealt out anew over the rows of all blocks, and score the test block: chance, or a leak.

    The test block is judged by its own dealt labels. Given any scores these are exchangeable, so the area under the ROC
    curve has mean one half and an exact error. True labels would not do: what the features share by night moves the
    area of a model of noise further than rows can tell. Seen is whatever carries labels from row to row, or from block
    to block; a feature that holds the true outcome is not, that is for ``proxy_alarm``. A trial is a training.
    """
    dealt = np.random.default_rng(site.project.training.seed).permutation(split.rows.labels)
    rows = LabelledRows(split.rows.rows, dealt)
    scorer = fit(_with_few_trees(site), rows, split.blocks).scorer
    test = rows.block(split.blocks.test)
    scores = raw_scores(scorer, scorer.encoder.transform(test.rows), threads=site.threads)
    area, error = roc_auc(test.labels, scores), chance_error(test.labels, scores)
    if abs(area - 0.5) <= _SIGMAS * error:
        return Audit(1, ())
    told = (
        f"training as of {split.night} on labels dealt out at random reaches a ROC AUC of {area:.4f} on the test block; "
        f"chance gives 0.5 with an error of {error:.4f}, and {_SIGMAS:g} errors are allowed. Labels reach the scores by "
        "another way than through what trees learn from the train block"
    )
    return Audit(1, (told,))


def training_is_blind(site: Site, split: Split, *, fit: Fit = fit_model) -> Audit:
    """Train twice, the second time with hostile values and turned labels in all nights after the early-stop block.

    Encoder and trees must be the same bytes, for they may know the train and the early-stop block alone. A trial is one
    of the two.
    """
    few = _with_few_trees(site)
    seen, other = (fit(few, rows, split.blocks) for rows in (split.rows, _harmed_after_early_stop(site, split)))
    same = {
        "the encoder": seen.encoder.as_json() == other.encoder.as_json(),
        "the trees": seen.trees.text == other.trees.text,
    }
    told = f"of a training as of {split.night} changed with rows after {split.blocks.early_stop.last}, the last that it may know"
    return Audit(len(same), tuple(f"{part} {told}" for part, is_same in same.items() if not is_same))


def learned_from_its_blocks(site: Site, split: Split, bundle: ModelBundle) -> Audit:
    """Learn the small parts of a bundle once more from the block that each belongs to, and compare.

    The encoder, the reference rows and the mean label belong to the train block, the calibrator to the calibration
    block. A trial is one of these four.

    Raises:
        ValueError: the SQL has changed since the bundle was trained.
    """
    require_same_features(site, bundle)
    scorer, train = load_scorer(bundle), split.rows.block(split.blocks.train)
    encoder = fit_encoder(train.rows, bundle.feature_set.features)
    told = [
        *_other_levels(encoder, scorer.encoder),
        *_strangers(encoder, train.rows, bundle.table("reference.parquet")),
        *_other_share(float(train.labels.mean()), bundle.manifest["positive_share"]),
        *_other_calibrator(site, split.rows.block(split.blocks.calibrate), scorer),
    ]
    return Audit(4, tuple(f"bundle {bundle.version}: {what}" for what in told))


def require_same_features(site: Site, bundle: ModelBundle) -> None:
    """Raise ValueError unless the present SQL made the bundle's features: rows of another set say nothing of it."""
    version = bundle.manifest["feature_set_version"]
    if version != site.sql.feature_set_version:
        raise ValueError(
            f"bundle {bundle.version} was trained on feature set {version}, the project now has "
            f"{site.sql.feature_set_version}; train anew, then audit"
        )


def _with_few_trees(site: Site) -> Site:
    training = site.project.training.model_copy(update={"max_trees": min(_TREES, site.project.training.max_trees)})
    return replace(site, sql=replace(site.sql, project=site.project.model_copy(update={"training": training})))


def _harmed_after_early_stop(site: Site, split: Split) -> LabelledRows:
    rows = split.rows.rows
    is_later = rows.column(SCORE_DATE).to_numpy() > np.datetime64(split.blocks.early_stop.last)
    for feature in site.sql.features:
        place = rows.schema.get_field_index(feature.name)
        field = rows.schema.field(place)
        harm = pa.scalar(_HARM[feature.type], field.type)
        rows = rows.set_column(place, field, pc.if_else(pa.array(is_later), harm, rows.column(place)))
    return LabelledRows(rows, np.where(is_later, 1 - split.rows.labels, split.rows.labels))


def _other_levels(own: FeatureEncoder, bundled: FeatureEncoder) -> Iterator[str]:
    if own != bundled:
        others = sorted({column.name for column in (*own.columns, *bundled.columns)
                         if (column in own.columns) != (column in bundled.columns)})  # fmt: skip
        yield f"the encoder is not what the train block gives; it differs in {others or 'the order of columns'}"


def _strangers(encoder: FeatureEncoder, rows: pa.Table, reference: pa.Table) -> Iterator[str]:
    known = {row.tobytes() for row in encoder.transform(rows)}
    count = sum(row.tobytes() not in known for row in encoder.transform(reference))
    if count:
        yield f"{count} of {reference.num_rows} reference rows are no rows of the train block"


def _other_share(own: float, bundled: float) -> Iterator[str]:
    if own != bundled:
        yield f"positive_share is {bundled}, that of the train block is {own}"


def _other_calibrator(site: Site, held: LabelledRows, scorer: Scorer) -> Iterator[str]:
    scores = raw_scores(scorer, scorer.encoder.transform(held.rows), threads=site.threads)
    own = fit_calibrator(scores, held.labels, held.nights)
    distance = float(np.abs(own.probability(scores) - scorer.calibrator.probability(scores)).max())
    if distance > _SAME_PROBABILITY:
        yield f"the calibrator is not what the calibration block gives; probabilities differ by up to {distance:.6f}"
        return
    # Two blocks may choose the same map, above all that which changes nothing; what each kind reached tells them apart.
    told = scorer.calibrator.log_loss_by_kind
    worst = max((abs(told[kind] - loss) for kind, loss in own.log_loss_by_kind.items() if kind in told), default=0.0)
    if own.log_loss_by_kind.keys() == told.keys() and worst > _SAME_PROBABILITY:
        yield f"the calibrator was not chosen on the calibration block; what the kinds reach differs by up to {worst:.6f}"

"""From a verified bundle to a scorer, and the golden rows that say whether it is still the model that was trained."""

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.domain.calibration import calibrator_from_json
from ml_pipeline.domain.feature_matrix import encoder_from_json
from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.io.model_bundle import ModelBundle

GOLDEN = "golden.parquet"
_GOLDEN_ROWS = 20
_SCORE, _PROBABILITY = "golden_score", "golden_probability"
# Exponentials of another machine may differ in their last digit; another tree differs long before.
_SAME = 1e-12


def scorer_of(bundle: ModelBundle) -> Scorer:
    """Rebuild the scorer of a verified bundle from text and numbers; LightGBM does not see the trees yet.

    Raises:
        BundleError: a file of it is not what a training writes.
    """
    try:
        scorer = Scorer(
            encoder_from_json(bundle.json("feature_columns.json")),
            bundle.text("model.txt"),
            calibrator_from_json(bundle.json("calibrator.json")),
            float(bundle.json("threshold.json")["threshold"]),
        )
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise bundle.refused(f"a file lacks what a scorer needs ({type(error).__name__}: {error})") from error
    except ValueError as error:
        raise bundle.refused(str(error).removeprefix(f"bundle {bundle.version}: ")) from error
    if not scorer.trees_text.startswith("tree\n"):
        raise bundle.refused("model.txt does not begin as LightGBM's text does")
    if not math.isfinite(scorer.threshold) or not 0 <= scorer.threshold <= 1:
        raise bundle.refused(f"the threshold {scorer.threshold} of threshold.json is no probability")
    return scorer


def golden_rows(scorer: Scorer, rows: pa.Table) -> pa.Table:
    """Some of ``rows``, evenly spaced, with the score and the probability that ``scorer`` gives each of them.

    Feature rows, not a matrix: the encoder is a part of what must be reproduced. The last of them is the first once more,
    with categories that no training saw: what the model makes of those must not change unseen either.
    """
    places = np.unique(np.linspace(0, rows.num_rows - 1, _GOLDEN_ROWS).astype(np.int64))
    chosen = rows.select(list(scorer.encoder.names)).take(pa.array(places))
    chosen = pa.concat_tables([chosen, *_of_unseen_categories(scorer, chosen)])
    score = raw_scores(scorer, scorer.encoder.transform(chosen), threads=1)
    return chosen.append_column(_SCORE, pa.array(score)).append_column(
        _PROBABILITY, pa.array(scorer.calibrator.probability(score))
    )


def _of_unseen_categories(scorer: Scorer, rows: pa.Table) -> list[pa.Table]:
    """The first of ``rows`` with the level of unseen categories in all columns that have one; nothing if none has."""
    unseen = rows.slice(0, 1)
    for column in (column for column in scorer.encoder.columns if column.other is not None):
        place = unseen.schema.get_field_index(column.name)
        unseen = unseen.set_column(place, unseen.schema.field(place), pa.array([column.other], pa.string()))
    return [] if unseen.equals(rows.slice(0, 1)) else [unseen]


def require_golden(bundle: ModelBundle, scorer: Scorer) -> int:
    """Score the golden rows again and return how many there are; 0 for a bundle from before there were any.

    Raises:
        BundleError: a score or a probability is another than the bundle says.
    """
    if GOLDEN not in bundle.manifest["files"]:
        return 0
    golden = _golden(bundle, scorer)
    score = raw_scores(scorer, scorer.encoder.transform(golden), threads=1)
    again = {_SCORE: score, _PROBABILITY: scorer.calibrator.probability(score)}
    for name, values in again.items():
        stored = golden.column(name).to_numpy().astype(np.float64)
        # Written so that NaN, of which no comparison is true, counts as different.
        is_other = ~(np.abs(stored - values) <= _SAME)
        if is_other.any():
            row = int(np.flatnonzero(is_other)[0])
            raise bundle.refused(
                f"{int(is_other.sum())} of {len(stored)} golden rows are not reproduced, first row {row}: "
                f"{name} was {float(stored[row])} and is {float(values[row])} now"
            )
    return int(golden.num_rows)


def golden_scores(bundle: ModelBundle, scorer: Scorer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The scores that the bundle says of its golden rows, and those that ``scorer`` gives them; both of shape (rows,).

    Raises:
        BundleError: it holds none.
    """
    golden = _golden(bundle, scorer)
    stored = golden.column(_SCORE).to_numpy().astype(np.float64)
    return stored, raw_scores(scorer, scorer.encoder.transform(golden), threads=1)


def _golden(bundle: ModelBundle, scorer: Scorer) -> pa.Table:
    if GOLDEN not in bundle.manifest["files"]:
        raise bundle.refused("it holds no golden rows")
    golden = bundle.table(GOLDEN)
    wanted = {*scorer.encoder.names, _SCORE, _PROBABILITY}
    if set(golden.schema.names) != wanted or not golden.num_rows:
        raise bundle.refused(f"{GOLDEN} has no rows of its features, with score and probability")
    return golden

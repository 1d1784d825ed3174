"""Scores rows: the trees' score, the calibrated probability, rank, decision, and the reasons of each row."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.calibration import Calibrator
from ml_pipeline.domain.feature_matrix import OTHER, FeatureColumn, FeatureEncoder
from ml_pipeline.domain.other_levels import Landed, in_words
from ml_pipeline.domain.tree_shap import TreeShap, tree_shap

REASON_COUNT = 3
# Contributions of these many rows stay near the processor; results do not depend on it.
_ROWS_AT_ONCE = 8192


class TreePredictor(Protocol):
    """Trees in a faster form than their text; must predict what LightGBM does, bit for bit."""

    def predict(self, matrix: NDArray[np.float32], *, threads: int) -> NDArray[np.float64]:
        """Scores of the rows of ``matrix``, shape (rows,)."""


@dataclass(frozen=True)
class Scorer:
    """All that turns feature rows into scores: encoder, trees, calibrator, threshold.

    ``predictor`` is asked in place of LightGBM if there is one.
    """

    encoder: FeatureEncoder
    trees_text: str
    calibrator: Calibrator
    threshold: float
    predictor: TreePredictor | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ScoredRows:
    """One entry a row: ``score`` and ``probability`` of shape (rows,), ``reasons`` of shape (rows, 3)."""

    score: NDArray[np.float64]
    probability: NDArray[np.float64]
    reasons: NDArray[np.object_]


def score_matrix(scorer: Scorer, matrix: NDArray[np.float32], *, threads: int) -> ScoredRows:
    """Score a matrix of shape (rows, columns) that ``scorer.encoder`` made."""
    score = raw_scores(scorer, matrix, threads=threads)
    return ScoredRows(score, scorer.calibrator.probability(score), explain(scorer, matrix, threads=threads))


def raw_scores(scorer: Scorer, matrix: NDArray[np.float32], *, threads: int) -> NDArray[np.float64]:
    """The trees' scores alone, shape (rows,)."""
    if not len(matrix):  # LightGBM divides by the number of rows; an empty night is for the audit to refuse, in words
        return np.empty(0)
    if scorer.predictor is not None:
        return scorer.predictor.predict(matrix, threads=threads)
    import lightgbm

    return np.asarray(lightgbm.Booster(model_str=scorer.trees_text).predict(matrix, num_threads=threads))


def explain(
    scorer: Scorer, matrix: NDArray[np.float32], *, threads: int, landed: Landed | None = None
) -> NDArray[np.object_]:  # fmt: skip
    """The reasons of each row in words, shape (rows, 3); what ``reason_codes`` makes of the trees' contributions.

    ``landed`` says what landed where a category of the rows is one that the training did not see.
    """
    if not len(matrix):
        return np.empty((0, REASON_COUNT), dtype=object)
    contributions = _contributions(scorer)
    starts = range(0, len(matrix), _ROWS_AT_ONCE)
    parts = [matrix[start : start + _ROWS_AT_ONCE] for start in starts]
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate([
            *pool.map(lambda start, part: reason_codes(
                scorer.encoder, part, contributions(part), _part(landed or {}, start, len(part))
            ), starts, parts)
        ])  # fmt: skip


def _part(landed: Landed, start: int, count: int) -> Landed:
    return {position: texts[start : start + count] for position, texts in landed.items()}


def _contributions(scorer: Scorer) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    """From tables where they pay, else from LightGBM; by the model alone, so that a row is explained alike in any night."""
    tables = _tables(scorer.trees_text, len(scorer.encoder.columns))
    if tables is not None:
        return tables.contributions
    import lightgbm

    booster = lightgbm.Booster(model_str=scorer.trees_text)
    return lambda part: np.asarray(booster.predict(part, pred_contrib=True, num_threads=1))[:, :-1]


@lru_cache(maxsize=2)
def _tables(trees_text: str, column_count: int) -> TreeShap | None:
    """A third of a second of work, and the same model explains batch after batch."""
    return tree_shap(trees_text, column_count)


def ranks(nights: NDArray[np.datetime64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank within its night, 1 for the highest probability; equal ones keep the order of the rows (key order)."""
    order = np.lexsort((np.arange(len(nights)), -probabilities, nights))
    position = np.empty(len(nights), dtype=np.int64)
    position[order] = np.arange(len(nights))
    _, starts, counts = np.unique(nights[order], return_index=True, return_counts=True)
    first_of_night = np.repeat(starts, counts)
    return position - first_of_night[position] + 1


def reason_codes(
    encoder: FeatureEncoder,
    matrix: NDArray[np.float32],
    contributions: NDArray[np.float64],
    landed: Landed | None = None,
) -> NDArray[np.object_]:
    """The three features that moved each row's score most, in words; shape (rows, 3), None where there are fewer.

    Contributions are TreeSHAP values (Lundberg et al., Nature Machine Intelligence 2020), in log odds.
    """
    order = _strongest(np.abs(contributions))
    reasons = np.full((len(matrix), REASON_COUNT), None, dtype=object)
    for position in np.unique(order):
        rows, places = np.nonzero(order == position)
        reasons[rows, places] = _in_words(
            encoder.columns[position], matrix[rows, position], contributions[rows, position]
        )
        if landed and position in landed:
            _name_others(reasons, rows, places, landed[position])
    return reasons


def _name_others(
    reasons: NDArray[np.object_], rows: NDArray[np.intp], places: NDArray[np.intp], landed: NDArray[np.object_]
) -> None:
    """Say what landed in the reasons at (``rows``, ``places``) that name the level of unseen categories."""
    for row, place in zip(rows, places, strict=True):
        if landed[row] is not None:
            reasons[row, place] = str(reasons[row, place]).removesuffix(OTHER) + in_words(landed[row])


def _strongest(strengths: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of the greatest of each row, the greatest first, of equals the first; shape (rows, at most 3)."""
    left = np.array(strengths, order="C")
    found = np.empty((len(left), min(REASON_COUNT, left.shape[1])), dtype=np.intp)
    for place in range(found.shape[1]):
        found[:, place] = left.argmax(axis=1)
        np.put_along_axis(left, found[:, place : place + 1], -1, axis=1)
    return found


def _in_words(column: FeatureColumn, values: NDArray[np.float32], pushes: NDArray[np.float64]) -> NDArray[np.object_]:
    """One text a row; each value is written out once, because many rows share it."""
    about = column.contract.description.rstrip(".")
    span = "" if column.contract.window in ("schedule", "calendar", "reference") else f", {column.contract.window}"
    distinct, places = np.unique(values, return_inverse=True)
    shown = [_value(column, float(value)) for value in distinct]
    texts = np.array(
        [f"{verb}: {about}{span} = {text}" for verb in ("lowers", "raises") for text in shown], dtype=object
    )
    return np.asarray(texts[places + len(distinct) * (pushes > 0)])


def _value(column: FeatureColumn, value: float) -> str:
    if np.isnan(value):
        return "not known"
    if column.contract.type == "category":
        return OTHER if value == column.other_code else column.levels[int(value)]
    return f"{value:.3g}" if column.contract.unit == "share" else f"{value:.4g} {column.contract.unit}"

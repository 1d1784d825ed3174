"""Scores rows: the trees' score, the calibrated probability, rank, decision, and the reasons of each row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.calibration import Calibrator
from ml_pipeline.domain.feature_matrix import FeatureColumn, FeatureEncoder

REASON_COUNT = 3


@dataclass(frozen=True)
class Scorer:
    """All that turns feature rows into scores: encoder, trees, calibrator, threshold."""

    encoder: FeatureEncoder
    trees_text: str
    calibrator: Calibrator
    threshold: float


@dataclass(frozen=True)
class ScoredRows:
    """One entry a row: ``score`` and ``probability`` of shape (rows,), ``reasons`` of shape (rows, 3)."""

    score: NDArray[np.float64]
    probability: NDArray[np.float64]
    reasons: NDArray[np.object_]


def score_matrix(scorer: Scorer, matrix: NDArray[np.float32], *, threads: int) -> ScoredRows:
    """Score a matrix of shape (rows, columns) that ``scorer.encoder`` made."""
    import lightgbm

    if not len(matrix):  # LightGBM divides by the number of rows; an empty night is for the audit to refuse, in words
        return ScoredRows(np.empty(0), np.empty(0), np.empty((0, REASON_COUNT), dtype=object))
    booster = lightgbm.Booster(model_str=scorer.trees_text)
    score = np.asarray(booster.predict(matrix, num_threads=threads), dtype=np.float64)
    contributions = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=threads))[:, :-1]
    return ScoredRows(score, scorer.calibrator.probability(score), reason_codes(scorer.encoder, matrix, contributions))


def raw_scores(scorer: Scorer, matrix: NDArray[np.float32], *, threads: int) -> NDArray[np.float64]:
    """The trees' scores alone, shape (rows,)."""
    import lightgbm

    return np.asarray(lightgbm.Booster(model_str=scorer.trees_text).predict(matrix, num_threads=threads))


def ranks(nights: NDArray[np.datetime64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank within its night, 1 for the highest probability; equal ones keep the order of the rows (key order)."""
    order = np.lexsort((np.arange(len(nights)), -probabilities, nights))
    position = np.empty(len(nights), dtype=np.int64)
    position[order] = np.arange(len(nights))
    _, starts, counts = np.unique(nights[order], return_index=True, return_counts=True)
    first_of_night = np.repeat(starts, counts)
    return position - first_of_night[position] + 1


def reason_codes(
    encoder: FeatureEncoder, matrix: NDArray[np.float32], contributions: NDArray[np.float64]
) -> NDArray[np.object_]:
    """The three features that moved each row's score most, in words; shape (rows, 3), None where there are fewer.

    Contributions are TreeSHAP values (Lundberg et al., Nature Machine Intelligence 2020), in log odds.
    """
    order = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :REASON_COUNT]
    reasons = np.full((len(matrix), REASON_COUNT), None, dtype=object)
    for position, column in enumerate(encoder.columns):
        rows, places = np.nonzero(order == position)
        words = _in_words(column, matrix[rows, position], contributions[rows, position])
        for row, place, text in zip(rows, places, words, strict=True):
            reasons[row, place] = text
    return reasons


def _in_words(column: FeatureColumn, values: NDArray[np.float32], pushes: NDArray[np.float64]) -> Sequence[str]:
    about = column.contract.description.rstrip(".")
    span = "" if column.contract.window in ("schedule", "calendar", "reference") else f", {column.contract.window}"
    shown = [_value(column, float(value)) for value in values]
    return [
        f"{'raises' if push > 0 else 'lowers'}: {about}{span} = {text}"
        for text, push in zip(shown, pushes, strict=True)
    ]


def _value(column: FeatureColumn, value: float) -> str:
    if np.isnan(value):
        return "not known"
    if column.contract.type == "category":
        return column.levels[int(value)]
    return f"{value:.3g}" if column.contract.unit == "share" else f"{value:.4g} {column.contract.unit}"

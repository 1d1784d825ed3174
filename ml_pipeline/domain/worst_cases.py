"""The most confident mistakes: rows for a person to read, with what the model saw in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.importance import contributions
from ml_pipeline.domain.scoring import Scorer, reason_codes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WorstCase:
    """A row that turned out otherwise than was said.

    Attributes:
        key: ``score_date`` and the entity key by name, as text.
        label: how it turned out, 0 or 1.
        probability: what was said.
        reasons: up to three, in the words that are stored with scores.
    """

    key: dict[str, str]
    label: int
    probability: float
    reasons: tuple[str, ...]

    @property
    def mistake(self) -> float:
        """Distance between label and probability, 1 for certainty of the opposite."""
        return abs(self.label - self.probability)


def worst_cases(
    scorer: Scorer, rows: pa.Table, key: Sequence[str], *,
    matrix: NDArray[np.float32], labels: Floats, probabilities: Floats, count: int, threads: int,
) -> tuple[WorstCase, ...]:  # fmt: skip
    """The ``count`` worst misses and the ``count`` worst false alarms, the greatest mistake first.

    Both kinds, because where few rows are positive the greatest mistakes are all misses, and say nothing of alarms.

    Args:
        scorer: gives the words of the reasons.
        rows: feature rows in a total order, which breaks ties.
        key: columns that name a row beside ``score_date``.
        matrix: what the scorer's encoder makes of ``rows``.
        labels: 0 or 1, shape (rows,).
        probabilities: shape (rows,).
        count: rows of each kind; fewer where a kind has fewer.
        threads: of LightGBM; does not change the result.
    """
    mistakes = np.abs(labels - probabilities)
    order = np.argsort(-mistakes, kind="stable")
    is_positive = labels[order] == 1
    chosen = np.concatenate([order[is_positive][:count], order[~is_positive][:count]])
    chosen = chosen[np.lexsort((chosen, -mistakes[chosen]))]
    if not len(chosen):
        return ()
    reasons = reason_codes(scorer.encoder, matrix[chosen], contributions(scorer, matrix[chosen], threads=threads))
    names = (SCORE_DATE, *key)
    keys = rows.select(names).take(pa.array(chosen)).to_pylist()
    return tuple(
        WorstCase(
            {name: str(entry[name]) for name in names},
            int(labels[place]),
            float(probabilities[place]),
            tuple(reason for reason in why if reason is not None),
        )
        for entry, place, why in zip(keys, chosen, reasons, strict=True)
    )

"""How much each feature moves a model's scores, over all rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.scoring import Scorer


@dataclass(frozen=True)
class FeatureImportance:
    """``mean_contribution``: mean absolute contribution to the score, in log odds; ``share`` of the sum of all."""

    feature: str
    mean_contribution: float
    share: float


def contributions(scorer: Scorer, matrix: NDArray[np.float32], *, threads: int) -> NDArray[np.float64]:
    """TreeSHAP values (Lundberg et al., Nature Machine Intelligence 2020) in log odds, shape (rows, columns).

    A row's values and the model's expected score sum to the log odds of the row's score. ``matrix`` has at least one row.
    """
    import lightgbm

    booster = lightgbm.Booster(model_str=scorer.trees_text)
    found = booster.predict(matrix, pred_contrib=True, num_threads=threads)
    return np.asarray(found, dtype=np.float64)[:, :-1]


def global_importance(scorer: Scorer, pushes: NDArray[np.float64]) -> tuple[FeatureImportance, ...]:
    """Importance of every feature, the greatest first and equals by name.

    Args:
        scorer: names the columns.
        pushes: what ``contributions`` gives, shape (rows, columns), at least one row.
    """
    means = np.abs(pushes).mean(axis=0)
    # Trees without a split move nothing; a share of nothing is 0, not NaN.
    total = float(means.sum()) or 1.0
    found = [
        FeatureImportance(name, float(mean), float(mean) / total)
        for name, mean in zip(scorer.encoder.names, means, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.mean_contribution, one.feature)))

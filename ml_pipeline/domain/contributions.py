"""What each feature did to one score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.scoring import Scorer


@dataclass(frozen=True)
class Contributions:
    """TreeSHAP values of one row in log odds: ``base`` (the expected score) and all features sum to the score's log odds."""

    base: float
    by_feature: dict[str, float]

    @property
    def log_odds(self) -> float:
        return self.base + sum(self.by_feature.values())


def contributions_of_row(scorer: Scorer, matrix: NDArray[np.float32]) -> Contributions:
    """Of the one row in ``matrix`` of shape (1, columns) (Lundberg et al., Nature Machine Intelligence 2020)."""
    import lightgbm

    booster = lightgbm.Booster(model_str=scorer.trees_text)
    (found,) = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=1), dtype=np.float64)
    return Contributions(float(found[-1]), dict(zip(scorer.encoder.names, map(float, found[:-1]), strict=True)))

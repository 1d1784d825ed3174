"""Trains the trees. Same rows, same order, same seed: the same bytes, on any number of threads."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import TrainingContract
from ml_pipeline.domain.feature_matrix import FeatureEncoder


@dataclass(frozen=True)
class TrainedTrees:
    """LightGBM's own text of the trees, how many there are, and each feature's total gain."""

    text: str
    tree_count: int
    gain_by_feature: dict[str, float]
    early_stop_log_loss: float


def train_trees(
    contract: TrainingContract,
    encoder: FeatureEncoder,
    *,
    train: tuple[NDArray[np.float32], NDArray[np.float64]],
    early_stop: tuple[NDArray[np.float32], NDArray[np.float64]],
    threads: int,
) -> TrainedTrees:
    """Gradient-boosted trees (Ke et al., NeurIPS 2017) on ``train``, their number chosen on ``early_stop``.
    Raises ValueError if all labels of the train block are alike.

    Args:
        contract: parameters and seed.
        encoder: names, categories and directions of the columns.
        train: matrix (rows, columns) and labels (rows,) in a total order; another order gives other trees.
        early_stop: the same for the block that says when to stop.
        threads: of LightGBM; does not change the trees.
    """
    import lightgbm

    _require_both_outcomes(train[1])

    parameters = {
        **contract.lightgbm,
        "objective": "binary",
        "seed": contract.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "monotone_constraints": list(encoder.monotone_constraints),
        "verbose": -1,
    }
    names, categories = list(encoder.names), list(encoder.category_positions)
    data = lightgbm.Dataset(train[0], train[1], feature_name=names, categorical_feature=categories)
    watched = lightgbm.Dataset(early_stop[0], early_stop[1], reference=data)
    booster = lightgbm.train(
        parameters,
        data,
        num_boost_round=contract.max_trees,
        valid_sets=[watched],
        callbacks=[lightgbm.early_stopping(contract.patience_trees, verbose=False)],
    )
    gains = booster.feature_importance("gain", iteration=booster.best_iteration)
    return TrainedTrees(
        without_thread_count(booster.model_to_string(num_iteration=booster.best_iteration)),
        int(booster.best_iteration),
        {name: float(gain) for name, gain in zip(names, gains, strict=True)},
        float(booster.best_score["valid_0"]["binary_logloss"]),
    )


def _require_both_outcomes(labels: NDArray[np.float64]) -> None:
    if not 0 < labels.sum() < len(labels):
        raise ValueError(f"all {len(labels)} labels of the train block are alike; correct the labels, or train later")


def without_thread_count(text: str) -> str:
    """LightGBM writes the thread count among its parameters; equal trees must have equal bytes."""
    return re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", text)

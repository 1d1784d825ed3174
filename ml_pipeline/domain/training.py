"""Trains the trees. Same rows, same order, same seed: the same bytes, on any number of threads."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.training import MemberContract, TrainingContract
from ml_pipeline.domain.averaged_trees import average_trees
from ml_pipeline.domain.feature_matrix import FeatureEncoder
from ml_pipeline.domain.other_levels import without_others

Rows = tuple[NDArray[np.float32], NDArray[np.float64]]
Nights = NDArray[np.datetime64]


@dataclass(frozen=True)
class TrainedTrees:
    """LightGBM's own text of the trees, how many there are, and each feature's total gain.

    ``early_stop_log_loss`` is what was reached on the early-stop block by trees that had not seen it; with several members
    the mean of theirs. NaN where a member learned from that block and was stopped by nothing. ``member_tree_counts`` says
    how many trees each member has; empty for a bundle from before that was recorded.
    """

    text: str
    tree_count: int
    gain_by_feature: dict[str, float]
    early_stop_log_loss: float
    member_tree_counts: tuple[int, ...] = ()


def train_trees(
    contract: TrainingContract,
    encoder: FeatureEncoder,
    *,
    train: Rows,
    early_stop: Rows,
    threads: int,
    nights: tuple[Nights, Nights] | None = None,
) -> TrainedTrees:
    """Gradient-boosted trees (Ke et al., NeurIPS 2017) on ``train``, their number chosen on ``early_stop``.

    The members that ``contract`` declares are trained one by one, each with a seed of its own, and averaged.

    Args:
        contract: parameters and seed.
        encoder: names, categories and directions of the columns.
        train: matrix (rows, columns) and labels (rows,) in a total order; another order gives other trees.
        early_stop: the same for the block that says when to stop.
        threads: of LightGBM; does not change the trees.
        nights: score dates of the rows of both blocks, each (rows,); needed where rows are weighted by recency.

    Raises:
        ValueError: all labels of the train block are alike, or the contract asks for recency weights without nights.
    """
    _require_both_outcomes(train[1])
    if contract.recency_half_life_nights is not None and nights is None:
        raise ValueError("recency_half_life_nights weighs rows by their nights, which were not given")
    grower = _Grower(contract, encoder, _known(encoder, train), _known(encoder, early_stop), threads, nights)
    members = [grower.grow(member, contract.seed + place) for place, member in enumerate(contract.members)]
    return _averaged(encoder, members)


def regrow_trees(
    contract: TrainingContract,
    encoder: FeatureEncoder,
    *,
    rows: Rows,
    nights: Nights,
    member_tree_counts: Sequence[int],
    threads: int,
) -> TrainedTrees:
    """The members of ``contract`` grown on ``rows``, each with the number of trees that it had before; nothing stops them.

    Args:
        contract, encoder, threads: as for ``train_trees``.
        rows: matrix (rows, columns) and labels (rows,) in a total order.
        nights: their score dates, shape (rows,).
        member_tree_counts: one a member.

    Raises:
        ValueError: all labels are alike, or there is another number of members than of counts.
    """
    _require_both_outcomes(rows[1])
    if len(member_tree_counts) != len(contract.members):
        raise ValueError(
            f"{len(contract.members)} members are to be grown, the numbers of trees of {len(member_tree_counts)} are known; "
            "train again to record them"
        )
    rows = _known(encoder, rows)
    grower = _Grower(contract, encoder, rows, (rows[0][:0], rows[1][:0]), threads, (nights, nights[:0]))
    planned = zip(contract.members, member_tree_counts, strict=True)
    return _averaged(encoder, [
        grower.regrow(member, contract.seed + place, trees) for place, (member, trees) in enumerate(planned)
    ])  # fmt: skip


def _known(encoder: FeatureEncoder, rows: Rows) -> Rows:
    """Levels that the train block does not have are missing values to the trees that grow, also where other blocks join in:
    a handful of rows must not give the level of the unseen a meaning that tomorrow's unseen ones do not share.
    """
    return without_others(encoder, rows[0]), rows[1]


def _averaged(encoder: FeatureEncoder, members: "Sequence[_Member]") -> TrainedTrees:
    gains = np.mean([member.gains for member in members], axis=0)
    return TrainedTrees(
        without_thread_count(average_trees([member.text for member in members])),
        sum(member.tree_count for member in members),
        {name: float(gain) for name, gain in zip(encoder.names, gains, strict=True)},
        float(np.mean([member.early_stop_log_loss for member in members])),
        tuple(member.tree_count for member in members),
    )


def _require_both_outcomes(labels: NDArray[np.float64]) -> None:
    if not 0 < labels.sum() < len(labels):
        raise ValueError(f"all {len(labels)} labels of the train block are alike; correct the labels, or train later")


def recency_weights(nights: Nights, half_life_nights: float | None) -> NDArray[np.float64] | None:
    """Weights with mean 1, halved for every so many nights of age before the newest one; None if all are alike.

    With mean 1 what LightGBM's parameters say of sums over rows, such as ``lambda_l2``, keeps its meaning.
    """
    if half_life_nights is None:
        return None
    days = nights.astype("datetime64[D]").astype(np.float64)
    weights = np.exp2((days - days.max()) / half_life_nights)
    return np.asarray(weights / weights.mean())


@dataclass(frozen=True)
class _Member:
    text: str
    tree_count: int
    gains: NDArray[np.float64]
    early_stop_log_loss: float


@dataclass(frozen=True)
class _Grower:
    """One training's rows, from which one member after the other is grown."""

    contract: TrainingContract
    encoder: FeatureEncoder
    train: Rows
    early_stop: Rows
    threads: int
    nights: tuple[Nights, Nights] | None

    def grow(self, member: MemberContract, seed: int) -> _Member:
        parameters = self._parameters(member, seed)
        if member.trees and self.contract.grows_again:
            return _member(*self._grow_on_both(parameters, self._most_trees(member)), float("nan"))
        booster, count, loss = self._grow_watched(parameters, member)
        if self.contract.grows_again:
            # What few rows cannot bear, more of them can: the number grows with the rows.
            booster, count = self._grow_on_both(parameters, max(1, round(count * self._growth)))
        return _member(booster, count, loss)

    def regrow(self, member: MemberContract, seed: int, trees: int) -> _Member:
        return _member(*self._grow_on_both(self._parameters(member, seed), trees), float("nan"))

    def _grow_watched(self, parameters: dict[str, Any], member: MemberContract) -> tuple[Any, int, float]:
        """On the train block, with the log loss of the early-stop block, which says when to stop unless the number is set."""
        import lightgbm

        data = self._dataset(self.train, None if self.nights is None else self.nights[0])
        watched = lightgbm.Dataset(*self.early_stop, reference=data)
        heard: dict[str, dict[str, list[float]]] = {}
        stop = lightgbm.early_stopping(self.contract.patience_trees, verbose=False)
        booster = lightgbm.train(
            parameters, data, num_boost_round=self._most_trees(member), valid_sets=[watched],
            callbacks=[lightgbm.record_evaluation(heard), *([] if member.trees else [stop])],
        )  # fmt: skip
        count = booster.current_iteration() if member.trees else int(booster.best_iteration)
        return booster, count, heard["valid_0"]["binary_logloss"][count - 1]

    def _grow_on_both(self, parameters: dict[str, Any], trees: int) -> tuple[Any, int]:
        import lightgbm

        matrix, labels = (np.concatenate([one, other]) for one, other in zip(self.train, self.early_stop, strict=True))
        data = self._dataset((matrix, labels), None if self.nights is None else np.concatenate(self.nights))
        return lightgbm.train(parameters, data, num_boost_round=trees), trees

    @property
    def _growth(self) -> float:
        return (len(self.train[1]) + len(self.early_stop[1])) / len(self.train[1])

    def _most_trees(self, member: MemberContract) -> int:
        return min(member.trees or self.contract.max_trees, self.contract.max_trees)

    def _dataset(self, rows: Rows, nights: Nights | None) -> Any:
        import lightgbm

        half_life = self.contract.recency_half_life_nights
        return lightgbm.Dataset(
            *rows, weight=None if nights is None else recency_weights(nights, half_life),
            feature_name=list(self.encoder.names), categorical_feature=list(self.encoder.category_positions),
        )  # fmt: skip

    def _parameters(self, member: MemberContract, seed: int) -> dict[str, Any]:
        return {
            **self.contract.lightgbm,
            **member.lightgbm,
            "objective": "binary",
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.threads,
            "monotone_constraints": list(self.encoder.monotone_constraints),
            "verbose": -1,
        }


def _member(booster: Any, count: int, early_stop_log_loss: float) -> _Member:
    gains = np.asarray(booster.feature_importance("gain", iteration=count), dtype=np.float64)
    return _Member(booster.model_to_string(num_iteration=count), count, gains, early_stop_log_loss)


def without_thread_count(text: str) -> str:
    """LightGBM writes the thread count among its parameters; equal trees must have equal bytes."""
    return re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", text)

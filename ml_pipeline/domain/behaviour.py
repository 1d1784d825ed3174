"""Behavioural tests of a model (Ribeiro et al., ACL 2020): what must not move it, and what may move it one way only."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.project import BehaviourContract
from ml_pipeline.domain.feature_matrix import FeatureColumn
from ml_pipeline.domain.scoring import Scorer, raw_scores

Matrix = NDArray[np.float32]

_FLOORS = (0.25, 0.5, 0.75, 1.0)
# Five raises of each of some eighty features: on all rows of a test block they would take longer than the training.
_ROWS_RAISED = 2000


@dataclass(frozen=True)
class DirectionTrial:
    """A feature with a declared direction, raised in several ways.

    Attributes:
        feature: its name.
        direction: as declared, ``increasing`` or ``decreasing``.
        raises: how many ways were tried; 0 if no row has a value.
        rows_against: rows, over all ways, whose score moved against the direction.
        worst_change: of the mean score, the least change in the declared direction; below 0 is against it.
    """

    feature: str
    direction: str
    raises: int
    rows_against: int
    worst_change: float


@dataclass(frozen=True)
class InvarianceTrial:
    """Values of ``features`` exchanged among the peers of a night.

    Attributes:
        features: exchanged together.
        peers: the features in which rows that exchange are alike.
        rows_exchanged: rows that got another value.
        mean_change: mean absolute change of the probability over all rows.
        largest_change: of one row.
        tolerance: what ``mean_change`` may be.
    """

    features: tuple[str, ...]
    peers: tuple[str, ...]
    rows_exchanged: int
    mean_change: float
    largest_change: float
    tolerance: float


@dataclass(frozen=True)
class Behaviour:
    """What was tried; ``violations`` are sentences. ``invariance`` is None if nothing is declared.

    ``rows_raised``: rows, evenly spread over those that were given, on which directions were tried.
    """

    directions: tuple[DirectionTrial, ...]
    rows_raised: int
    invariance: InvarianceTrial | None
    violations: tuple[str, ...]


def try_behaviour(
    contract: BehaviourContract, scorer: Scorer, matrix: Matrix, nights: NDArray[np.datetime64], *, seed: int, threads: int
) -> Behaviour:  # fmt: skip
    """Try every declared direction, and the declared invariance if there is one.

    Directions hold exactly, row by row: constrained trees never fall along a constrained feature, and sums of floats
    keep the order of their terms. A row without a value is left without one, for a missing value has no direction.

    Args:
        contract: what must not move the probabilities.
        scorer: its encoder carries the declared directions.
        matrix: rows to try, shape (rows, columns), at least one.
        nights: night of each row, shape (rows,).
        seed: of the exchange among peers.
        threads: of LightGBM; does not change the result.

    Raises:
        ValueError: the contract names a feature that the model does not have.
    """
    raised = matrix[:: -(-len(matrix) // _ROWS_RAISED)]
    directions = tuple(_directions(scorer, raised, raw_scores(scorer, raised, threads=threads), threads))
    invariance = None
    if contract.invariant_to:
        invariance = _invariance(contract, scorer, matrix, nights, seed=seed, threads=threads)
    told = [_against(trial) for trial in directions if trial.rows_against or trial.worst_change < 0]
    if invariance is not None and invariance.mean_change > invariance.tolerance:
        told.append(_moved(invariance))
    return Behaviour(directions, len(raised), invariance, tuple(told))


def _directions(scorer: Scorer, matrix: Matrix, scores: NDArray[np.float64], threads: int) -> Iterator[DirectionTrial]:
    for place, column in enumerate(scorer.encoder.columns):
        if column.contract.direction is not None:
            yield _direction(scorer, matrix, scores, place, column, threads=threads)


def _direction(
    scorer: Scorer, matrix: Matrix, scores: NDArray[np.float64], place: int, column: FeatureColumn, *, threads: int
) -> DirectionTrial:
    sign = scorer.encoder.monotone_constraints[place]
    direction, ways = column.contract.direction or "", list(_raised(matrix[:, place]))
    if not ways:
        return DirectionTrial(column.name, direction, 0, 0, 0.0)
    # All ways in one call: a call costs more than its rows do.
    tried = np.tile(matrix, (len(ways), 1))
    tried[:, place] = np.concatenate(ways)
    after = raw_scores(scorer, tried, threads=threads).reshape(len(ways), len(matrix))
    changes = sign * (after.mean(axis=1) - scores.mean())
    rows_against = int(np.sum(sign * (after - scores) < 0))
    return DirectionTrial(column.name, direction, len(ways), rows_against, float(changes.min()))


def _raised(values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """``values``, none of them lowered: lifted to each quartile, then all lifted by a tenth of their span."""
    known = values[~np.isnan(values)]
    if not len(known):
        return
    for floor in _FLOORS:
        yield np.maximum(values, np.quantile(known, floor, method="lower"))
    span = float(known.max() - known.min())
    yield values + np.float32(span / 10 or 1.0)


def _invariance(
    contract: BehaviourContract, scorer: Scorer, matrix: Matrix, nights: NDArray[np.datetime64], *, seed: int, threads: int
) -> InvarianceTrial:  # fmt: skip
    places = np.array([_place(scorer, name) for name in contract.invariant_to])
    alike = matrix[:, [_place(scorer, name) for name in contract.peers]].astype(np.float64)
    # Sorting puts NaN last and takes each for equal: rows without a value are peers of each other.
    ordered = [alike[:, column] for column in range(alike.shape[1])] + [nights]
    rows = np.arange(len(matrix))
    takers = np.lexsort((rows, *ordered))
    givers = np.lexsort((np.random.default_rng(seed).permutation(len(matrix)), *ordered))
    exchanged = matrix.copy()
    exchanged[np.ix_(takers, places)] = matrix[np.ix_(givers, places)]
    before, after = (
        scorer.calibrator.probability(raw_scores(scorer, one, threads=threads)) for one in (matrix, exchanged)
    )
    moved = ~np.all((exchanged == matrix) | (np.isnan(exchanged) & np.isnan(matrix)), axis=1)
    change = np.abs(after - before)
    return InvarianceTrial(
        contract.invariant_to, contract.peers, int(moved.sum()), float(change.mean()), float(change.max()),
        contract.tolerance,
    )  # fmt: skip


def _place(scorer: Scorer, name: str) -> int:
    if name not in scorer.encoder.names:
        raise ValueError(
            f"project.yml, behaviour: {name!r} is no feature of the model; name features that features.yml declares"
        )
    return scorer.encoder.names.index(name)


def _against(trial: DirectionTrial) -> str:
    return (
        f"{trial.feature} is declared {trial.direction}, but raising it moved {trial.rows_against:,} scores the other way in "
        f"{trial.raises} trials, and the mean score by up to {-min(trial.worst_change, 0.0):.6f}"
    )


def _moved(trial: InvarianceTrial) -> str:
    return (
        f"exchanging {', '.join(trial.features)} among rows of a night alike in {', '.join(trial.peers) or 'nothing else'} "
        f"changes the probability by {trial.mean_change:.4f} on average; {trial.tolerance:.4f} is allowed"
    )

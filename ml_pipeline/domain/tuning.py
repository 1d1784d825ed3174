"""Tuning: which parameters are tried, and which of them are kept. A seeded random search, chosen by one standard error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.training import TrainingContract
from ml_pipeline.contracts.tuning import TRAINING_PARAMETERS, ChoiceRange, NumberRange, TuningContract, Value
from ml_pipeline.domain.night_error import night_error

Floats = NDArray[np.float64]
Parameters = Mapping[str, Value | None]


@dataclass(frozen=True)
class Trial:
    """Parameters to try; number 1 are the project's own, which ``parameters`` then does not change."""

    number: int
    parameters: Parameters


@dataclass(frozen=True)
class FoldScore:
    """How a trial did on one fold.

    Attributes:
        fold: its number.
        nights: score dates of the rows that it was judged on, shape (rows,).
        row_log_loss: log loss of each of them, shape (rows,).
        leaves: of all its trees together: how much it can remember.
        metrics: those of the house on these rows, for people to read.
    """

    fold: int
    nights: NDArray[np.datetime64]
    row_log_loss: Floats
    leaves: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialResult:
    """A trial and its folds, in order."""

    trial: Trial
    folds: tuple[FoldScore, ...]

    @property
    def log_loss(self) -> float:
        """Mean over the rows of all folds."""
        return float(np.concatenate([fold.row_log_loss for fold in self.folds]).mean())

    @property
    def leaves(self) -> float:
        return float(np.mean([fold.leaves for fold in self.folds]))


@dataclass(frozen=True)
class TuningChoice:
    """Attributes:
    chosen: number of the trial that is kept.
    best: number of the trial with the least log loss.
    parameters: those of the chosen one.
    worse_by: by how much the chosen one's log loss lies above that of the best one.
    standard_error: of that difference, where nights are drawn.
    reasons: why, in words.
    """

    chosen: int
    best: int
    parameters: Parameters
    worse_by: float
    standard_error: float
    reasons: tuple[str, ...]


def draw_trials(contract: TuningContract, *, seed: int) -> tuple[Trial, ...]:
    """The project's own parameters, then random ones (Bergstra and Bengio, JMLR 2012).

    Each trial is drawn from a seed of its own: more trials, or an earlier end, leave the others what they are. Random
    rather than adaptive, because then the order does not matter, and folds of a few weeks are too noisy to follow.
    """
    drawn = [
        Trial(number, {
            name: _draw(np.random.default_rng([seed, number, place]), contract.space[name])
            for place, name in enumerate(sorted(contract.space))
        })
        for number in range(2, contract.trials + 1)
    ]  # fmt: skip
    return (Trial(1, {}), *drawn)


def apply_parameters(training: TrainingContract, parameters: Parameters) -> TrainingContract:
    """``training`` with ``parameters``, validated again.

    Raises:
        ValueError: a parameter of the training itself has an impossible value.
    """
    own = {name: value for name, value in parameters.items() if name in TRAINING_PARAMETERS}
    lightgbm = {name: value for name, value in parameters.items() if name not in TRAINING_PARAMETERS}
    content = training.model_dump()
    return TrainingContract.model_validate({**content, **own, "lightgbm": {**content["lightgbm"], **lightgbm}})


def choose_trial(results: Sequence[TrialResult]) -> TuningChoice:
    """Of the trials within one standard error of the best one, that with the fewest leaves; of equals the first.

    The rule is that of Breiman et al. (Classification and Regression Trees, 1984, section 3.4.3): the minimum of many
    noisy means is too good by chance, and what is simpler and as good travels better. The error is that of the difference
    between the two on the same rows, where whole nights are drawn, for rows of a night are not independent.

    Raises:
        ValueError: there is no result, or they were not judged on the same rows.
    """
    if not results:
        raise ValueError("there is no trial to choose from")
    best = min(results, key=lambda result: (result.log_loss, result.trial.number))
    errors = {result.trial.number: _standard_error(result, best) for result in results}
    near = [result for result in results if result.log_loss - best.log_loss <= errors[result.trial.number]]
    chosen = min(near, key=lambda result: (result.leaves, result.trial.number))
    worse_by, error = chosen.log_loss - best.log_loss, errors[chosen.trial.number]
    reasons = [f"trial {best.trial.number} has the least log loss, {best.log_loss:.5f}"]
    if chosen is not best:
        reasons.append(
            f"trial {chosen.trial.number} has {chosen.leaves:.0f} leaves in the place of {best.leaves:.0f}, and is worse by "
            f"{worse_by:.5f} only, within one standard error of {error:.5f}"
        )
    return TuningChoice(
        chosen.trial.number, best.trial.number, dict(chosen.trial.parameters), worse_by, error, tuple(reasons)
    )


def _standard_error(result: TrialResult, best: TrialResult) -> float:
    if result is best:
        return 0.0
    nights, others = (np.concatenate([fold.nights for fold in one.folds]) for one in (result, best))
    if not np.array_equal(nights, others):
        raise ValueError(f"trials {result.trial.number} and {best.trial.number} were not judged on the same rows")
    losses = [np.concatenate([fold.row_log_loss for fold in one.folds]) for one in (result, best)]
    return night_error(losses[0] - losses[1], nights)


def _draw(generator: np.random.Generator, span: ChoiceRange | NumberRange) -> Value | None:
    if isinstance(span, ChoiceRange):
        return span.choices[int(generator.integers(len(span.choices)))]
    low, high = (np.log(span.low), np.log(span.high)) if span.scale == "log" else (span.low, span.high)
    value = float(generator.uniform(low, high))
    value = float(np.clip(np.exp(value) if span.scale == "log" else value, span.low, span.high))
    return round(value) if span.is_whole else float(f"{value:.6g}")

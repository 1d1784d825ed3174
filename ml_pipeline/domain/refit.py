"""Whether fresher rows make a better model: the recipe as the gate judged it against its refit, on nights neither has seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.contracts.missing_numbers import nulls_for_nan
from ml_pipeline.domain.paired_bootstrap import LEAST_NIGHTS, paired_gain

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RefitFold:
    """How both did on one fold's validate block.

    Attributes:
        number: of the fold.
        nights: score dates of the rows, shape (rows,).
        recipe: log loss of each row of the model that kept nights back to stop, calibrate and test; shape (rows,).
        refit: log loss of each row of the same model, grown once more on all nights that had matured; shape (rows,).
    """

    number: int
    nights: NDArray[np.datetime64]
    recipe: Floats
    refit: Floats

    @property
    def gains(self) -> Floats:
        return self.recipe - self.refit


@dataclass(frozen=True)
class RefitDecision:
    """Whether to refit, and why; a "no" has reasons too. ``numbers`` are plain values, None for what is not known."""

    is_refit: bool
    reasons: tuple[str, ...]
    numbers: Mapping[str, Any] = field(default_factory=dict)


def decide_refit(folds: Sequence[RefitFold], *, confidence: float, seed: int) -> RefitDecision:
    """Refit only if the gain in log loss lies above 0 with ``confidence``, one-sided, where whole nights are drawn.

    The evaluation is that on a rolling origin (Tashman, International Journal of Forecasting 2000, 16(4)). Nights of a fold
    share their two models, which the drawing of nights does not know: the true interval is somewhat wider, and each fold's
    own gain is told, so that a person sees whether they agree.

    Args:
        folds: in order of time; each night is judged in one of them.
        confidence: as the gate asks it of a challenger.
        seed: of the bootstrap.

    Raises:
        ValueError: a fold's arrays are of different lengths, or a loss is no finite number.
    """
    for fold in folds:
        _require_sound(fold)
    if not folds:
        return RefitDecision(False, ("there is no fold, hence no evidence that a refit is better",))
    nights = np.concatenate([fold.nights for fold in folds])
    gain = paired_gain(nights, np.concatenate([fold.gains for fold in folds]), confidence=confidence, seed=seed)
    numbers = {
        "gain": nulls_for_nan(gain.as_dict()),
        "folds": [_row(fold) for fold in folds],
    }
    if gain.nights < LEAST_NIGHTS:
        words = f"{gain.nights} nights to judge by tell too little, at least {LEAST_NIGHTS} are needed: no refit"
        return RefitDecision(False, (words,), numbers)
    is_refit = gain.low > 0
    better = sum(bool(fold.gains.mean() > 0) for fold in folds)
    reason = (
        f"on {gain.nights} nights of {len(folds)} folds the fresher model's log loss is lower by {gain.mean:.5f} a row; with "
        f"{confidence:.0%} confidence by more than {gain.low:.5f}, {'which is' if is_refit else 'not'} above 0"
    )
    return RefitDecision(is_refit, (reason, f"it is better in {better} of {len(folds)} folds"), numbers)


def _require_sound(fold: RefitFold) -> None:
    if not len(fold.nights) == len(fold.recipe) == len(fold.refit) or not len(fold.nights):
        raise ValueError(
            f"fold {fold.number}: {len(fold.nights)} nights, {len(fold.recipe)} and {len(fold.refit)} losses; one each a row, "
            "and at least one row, are needed"
        )
    if not np.isfinite(fold.gains).all():
        raise ValueError(f"fold {fold.number}: a log loss is no finite number")


def _row(fold: RefitFold) -> dict[str, Any]:
    return {
        "fold": fold.number, "first_night": str(fold.nights.min()), "last_night": str(fold.nights.max()),
        "rows": len(fold.nights), "recipe_log_loss": float(fold.recipe.mean()), "refit_log_loss": float(fold.refit.mean()),
    }  # fmt: skip

"""What ``project.yml`` says of a training: its blocks, and how its trees are grown."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Embargo = Literal["label_horizon", "longest_window"]
Refit = Literal["never", "if_fresher_is_better"]
# What says only what happens after the gate has accepted a model; the model itself does not depend on it.
AFTER_ACCEPTANCE = frozenset({"refit", "refit_folds", "refit_validate_nights"})


class MemberContract(_Frozen):
    """One of the models that are averaged: ``lightgbm`` of the training with these changes.

    It has ``trees`` trees, or, without, as many as the early-stop block says. A fixed number suits trees so small that
    more of them do little harm, where the few nights of an early-stop block would stop them at random.
    """

    trees: int | None = Field(default=None, ge=1)
    lightgbm: dict[str, float | int | str | bool] = {}


class TrainingContract(_Frozen):
    """Lengths of the time blocks, and LightGBM's parameters. A block ends a gap before the next one begins.

    ``embargo`` says what the gap is derived from; ``domain/splits.py`` gives the rule and the reasons for each.

    Attributes:
        members: so many models are trained, and their log odds averaged.
        grows_again: whether, once the early-stop block has said how many trees, they are grown anew on train and
            early-stop block together.
        recency_half_life_nights: a row weighs half as much as one that is so many nights younger; None: all alike.
        history_nights: the most nights of the train block, its youngest; None: all there are.
        refit: whether a model that the gate has accepted is grown once more, on all matured rows; ``if_fresher_is_better``
            asks ``refit_folds`` walk-forward folds of ``refit_validate_nights`` nights each.
    """

    warmup_nights: int = Field(ge=0)
    early_stop_nights: int = Field(ge=1)
    calibrate_nights: int = Field(ge=1)
    test_nights: int = Field(ge=1)
    seed: int
    max_trees: int = Field(ge=1)
    patience_trees: int = Field(ge=1)
    lightgbm: dict[str, float | int | str | bool]
    embargo: Embargo = "label_horizon"
    members: tuple[MemberContract, ...] = Field(default=(MemberContract(),), min_length=1, max_length=20)
    grows_again: bool = False
    recency_half_life_nights: float | None = Field(default=None, gt=0)
    history_nights: int | None = Field(default=None, ge=1)
    refit: Refit = "never"
    refit_folds: int = Field(default=3, ge=1, le=20)
    refit_validate_nights: int = Field(default=14, ge=1)

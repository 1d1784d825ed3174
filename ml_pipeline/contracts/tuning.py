"""What ``project.yml`` says of tuning: how long it may search, on which folds, and where."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = float | int | str | bool

# What a tuning may set besides LightGBM's own parameters; names of TrainingContract.
TRAINING_PARAMETERS = ("recency_half_life_nights", "history_nights", "grows_again")
# Set by the pipeline itself: a search over these would break what it promises.
RESERVED = frozenset({
    "objective", "seed", "deterministic", "force_row_wise", "force_col_wise", "num_threads", "monotone_constraints", "verbose",
    "num_iterations", "num_boost_round", "metric", "device_type",
})  # fmt: skip


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChoiceRange(_Frozen):
    """One of these values; None is none at all, for example no recency weighting."""

    choices: tuple[Value | None, ...] = Field(min_length=2)


class NumberRange(_Frozen):
    """A number from ``low`` to ``high``, both possible; evenly drawn on the scale."""

    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"
    is_whole: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> "NumberRange":
        if not self.low < self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}; low must be the smaller one")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a log scale has no {self.low}; raise low above 0 or use the linear scale")
        return self


class TuningContract(_Frozen):
    """A search by walk-forward folds inside of the train block.

    Attributes:
        trials: how many sets of parameters are tried, the project's own first.
        budget_seconds: no trial is begun after so much wall time, but the first one always is.
        folds: steps of the walk forward.
        validate_nights: on so many nights each step is judged.
        space: by parameter where to look: LightGBM's, and ``recency_half_life_nights``, ``history_nights`` and
            ``grows_again`` of the training. What a member of the training sets itself stays as it is for that member.
    """

    trials: int = Field(ge=1, le=1000)
    budget_seconds: float = Field(gt=0)
    folds: int = Field(ge=2, le=20)
    validate_nights: int = Field(ge=1)
    space: dict[str, Annotated[ChoiceRange | NumberRange, Field(union_mode="left_to_right")]] = Field(min_length=1)

    @model_validator(mode="after")
    def _leaves_the_reserved_alone(self) -> "TuningContract":
        if taken := sorted(RESERVED & set(self.space)):
            raise ValueError(f"tuning.space names {taken}, which the pipeline sets itself; take them out")
        return self

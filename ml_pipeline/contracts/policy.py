"""What ``project.yml`` says of retraining: which evidence is enough, and what stops the asking."""

from pydantic import BaseModel, ConfigDict, Field


class PolicyContract(BaseModel):
    """When to act on what is watched. How many nights must speak for it, and the cool-down, stand in ``monitoring``.

    Attributes:
        of_nights: the nights among which ``persistence_nights`` must speak for an act.
        min_matured_nights: nights whose labels have landed since the last training, and nights of the champion from
            which its saving is made.
        min_matured_rows: the rows of them.
        least_cost_saving: share of the baseline's cost that the champion must save; below it, it speaks for a retraining.
        least_cost_saving_drifted: the same on a night whose features have drifted: drift asks for proof earlier.
        max_estimated_loss: nats a row by which the estimated log loss of nights without labels may exceed that of the
            champion's test block; beyond it, while estimates are trusted, proof is asked for earlier, as with drift.
        max_calibration_gap: distance between said and happened, beyond which the whole interval must lie to speak for a
            recalibration.
        open_nights: nights that a request without an answer keeps others from being made.
        max_rejected: so many challengers refused in a row, and a person is called instead of training another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    of_nights: int = Field(default=7, ge=1)
    min_matured_nights: int = Field(default=14, ge=1)
    min_matured_rows: int = Field(default=200, ge=1)
    least_cost_saving: float = Field(default=0.0, lt=1)
    least_cost_saving_drifted: float = Field(default=0.03, lt=1)
    max_estimated_loss: float = Field(default=0.05, gt=0)
    max_calibration_gap: float = Field(default=0.02, ge=0, lt=1)
    open_nights: int = Field(default=14, ge=1)
    max_rejected: int = Field(default=3, ge=1)

"""What ``project.yml`` says of performance that is estimated before the labels."""

from pydantic import BaseModel, ConfigDict, Field


class EstimateContract(BaseModel):
    """When an estimate may be decided by.

    Attributes:
        graded_nights: the newest matured nights of a model whose estimates are held against what came.
        max_error: distance of realised and expected log loss over them, in nats a row, beyond which estimates are
            switched off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    graded_nights: int = Field(default=14, ge=1, le=28)
    max_error: float = Field(default=0.05, gt=0)

"""What ``project.yml`` says of drift and of data faults: how large an effect is one, and how often it must be seen."""

from pydantic import BaseModel, ConfigDict, Field, model_validator


class DriftContract(BaseModel):
    """Limits on effects, not on tests: with enough rows a test finds every difference.

    Attributes:
        trailing_nights: the nights before the window that stand for the season.
        min_nights: nights with rows that a window, and what it is compared with, must hold; fewer are missing evidence.
        min_rows: rows that they must hold.
        max_effect: Jensen-Shannon divergence, in bits, less what chance would show, above which a window lies apart.
        of_windows: the last windows, each ending a night earlier, of which ``least_windows`` must lie apart.
        least_windows: how many must.
        max_missing_jump: share of missing values by which a night may exceed every night before.
        max_scale_ratio: factor by which a night's typical size may leave that of the nights before: units differ by more.
        max_volume_ratio: factor by which a night's rows may leave the range of the nights before.
        max_faulty_share: share of the features with a fault, above which a night's data are bad as a whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trailing_nights: int = Field(default=28, ge=2)
    min_nights: int = Field(default=4, ge=2)
    min_rows: int = Field(default=100, ge=1)
    max_effect: float = Field(default=0.1, gt=0, lt=1)
    of_windows: int = Field(default=5, ge=1)
    least_windows: int = Field(default=3, ge=1)
    max_missing_jump: float = Field(default=0.3, gt=0, le=1)
    max_scale_ratio: float = Field(default=8.0, gt=1)
    max_volume_ratio: float = Field(default=4.0, gt=1)
    max_faulty_share: float = Field(default=0.2, gt=0, le=1)

    @model_validator(mode="after")
    def _can_be_seen(self) -> "DriftContract":
        if self.least_windows > self.of_windows:
            raise ValueError(
                f"least_windows is {self.least_windows} of {self.of_windows} windows: drift could never be seen"
            )
        return self

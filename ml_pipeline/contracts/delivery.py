"""What a source says of its deliveries: how large they may be, when they are whole, and what a usual night looks like."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field


class LimitsContract(BaseModel):
    """What one file may cost. Read from the file's size and metadata, before a row of it is.

    Attributes:
        max_file_bytes: on disk.
        max_rows: rows of one file.
        max_columns: columns of one file, declared or not.
        max_decoded_bytes: in memory; a run of equal values costs next to nothing on disk, a CSV file ten times its size.
        max_cell_bytes: of one text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_file_bytes: int = Field(default=1 << 30, ge=1)
    max_rows: int = Field(default=20_000_000, ge=1)
    max_columns: int = Field(default=500, ge=1)
    max_decoded_bytes: int = Field(default=2 << 30, ge=1)
    max_cell_bytes: int = Field(default=1 << 16, ge=1)


class BoundsContract(BaseModel):
    """What a usual night looks like, told from the nights before it. A night beyond it is held until a person accepts it.

    Attributes:
        history_nights: how far back "before" goes.
        least_history_nights: with fewer landed nights than that nothing is judged.
        volume_ratio: so many times more, or fewer, rows than the median night.
        least_rows: distributions are compared between nights of at least so many values.
        median_ratio: so many times the usual median, or one part of it, is another unit.
        new_values_ratio: so many times the new texts that any night before brought.
        closed_weekdays: weekdays (Monday is 0) whose nights may be empty.
        closed_nights: nights that may be empty.
        ends_on: the last night that brings rows; later ones may be empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    history_nights: int = Field(default=28, ge=2)
    least_history_nights: int = Field(default=14, ge=2)
    volume_ratio: float = Field(default=5.0, gt=1)
    least_rows: int = Field(default=20, ge=2)
    median_ratio: float = Field(default=20.0, gt=1)
    new_values_ratio: float = Field(default=3.0, gt=1)
    closed_weekdays: tuple[int, ...] = ()
    closed_nights: tuple[date, ...] = ()
    ends_on: date | None = None

    def may_be_empty(self, night: date) -> bool:
        """Whether a night without rows is what the calendar of the source says."""
        is_over = self.ends_on is not None and night > self.ends_on
        return is_over or night in self.closed_nights or night.weekday() in self.closed_weekdays

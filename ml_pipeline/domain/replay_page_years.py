"""The years of a report as the page shows them: each with its key, its colour and the names of its parts."""

from collections.abc import Iterator
from dataclasses import dataclass

from ml_pipeline.domain.replay_page_axis import NightAxis
from ml_pipeline.domain.replay_report import PolicyYear, ReplayedNight, ReplayReport
from ml_pipeline.nights import Night

COLOURS = 5
_QUIET = {"nothing", ""}


@dataclass(frozen=True)
class ShownYear:
    """``key`` names the parts of this year in links: a policy's own name could hold anything."""

    key: str
    colour: int
    year: PolicyYear
    axis: NightAxis
    is_disturbed: bool = False

    @property
    def kind(self) -> str:
        """The classes by which the page colours it and the reader's choice finds it."""
        return f"of k{self.key} c{self.colour % COLOURS}"

    def row_id(self, night: Night) -> str:
        return f"n-{self.key}-{self.axis.place(night)}"

    def mark_id(self, night: Night) -> str:
        return f"m-{self.key}-{self.axis.place(night)}"

    def decision_id(self, night: Night) -> str:
        return f"d-{self.key}-{self.axis.place(night)}"

    def decisions(self) -> Iterator[ReplayedNight]:
        """The nights on which the policy asked for something."""
        return (night for night in self.year.nights if night.verdict not in _QUIET)


def axis_of(report: ReplayReport) -> NightAxis:
    return NightAxis(report.first_night, report.last_night)


def clean_years(report: ReplayReport) -> tuple[ShownYear, ...]:
    """In the report's order; the policy that the replay is about has the first colour, so that it is always the same."""
    names = sorted((year.name for year in report.clean), key=lambda name: name != report.focus)
    axis = axis_of(report)
    return tuple(ShownYear(str(place), names.index(year.name), year, axis) for place, year in enumerate(report.clean))


def disturbed_years(report: ReplayReport) -> tuple[ShownYear, ...]:
    """Each in the colour of its undisturbed year."""
    colours = {shown.year.name: shown.colour for shown in clean_years(report)}
    axis = axis_of(report)
    return tuple(
        ShownYear(f"x{place}", colours.get(year.name, place), year, axis, is_disturbed=True)
        for place, year in enumerate(report.disturbed)
    )


def undisturbed(shown: ShownYear, report: ReplayReport) -> PolicyYear | None:
    """The same policy's year on the data as they came."""
    return next((year for year in report.clean if year.name == shown.year.name), None)

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
    """``key`` names the parts of this year in links: a policy's own name could hold anything.

    ``group`` is the key of the policy's undisturbed year: who chooses a policy sees both.
    """

    key: str
    colour: int
    year: PolicyYear
    axis: NightAxis
    group: str
    is_disturbed: bool = False

    @property
    def kind(self) -> str:
        """The classes by which the page colours it and the reader's choice finds it."""
        return f"of k{self.group} c{self.colour % COLOURS}"

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
    return tuple(
        ShownYear(str(place), names.index(year.name), year, axis, str(place)) for place, year in enumerate(report.clean)
    )


def disturbed_years(report: ReplayReport) -> tuple[ShownYear, ...]:
    """Each in the colour of its undisturbed year."""
    clean = {shown.year.name: shown for shown in clean_years(report)}
    axis = axis_of(report)
    found = []
    for place, year in enumerate(report.disturbed):
        key, twin = f"x{place}", clean.get(year.name)
        colour, group = (twin.colour, twin.key) if twin else (place, key)
        found.append(ShownYear(key, colour, year, axis, group, is_disturbed=True))
    return tuple(found)


def undisturbed(shown: ShownYear, report: ReplayReport) -> PolicyYear | None:
    """The same policy's year on the data as they came."""
    return next((year for year in report.clean if year.name == shown.year.name), None)

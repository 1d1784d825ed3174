"""What the replay found, in sentences that the numbers alone decide."""

import math
from collections.abc import Iterator

from ml_pipeline.domain.replay_page_words import (
    FINDINGS,
    cost_digits,
    counted,
    decimal,
    is_known,
    percent,
)
from ml_pipeline.domain.replay_report import Interval, PolicyYear, ReplayReport

_OPEN, _CLOSE = "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}"


def headline(report: ReplayReport) -> tuple[str, str]:
    """What the policy in focus saved against the reference, and how it stands beside its rival; the second may be empty."""
    focus = focus_year(report)
    if focus is None:
        return f"{report.title}: no policy was replayed.", ""
    reference, rival = (
        "" if name == focus.name else _against(report, focus, name) for name in (report.reference, report.rival)
    )
    nights = counted(len(focus.nights), "night")
    if not reference and not rival:
        cost = decimal(focus.cost, cost_digits(report))
        return f"{_quoted(focus.title)} cost {cost} over {nights}. No other policy was replayed to hold it against.", ""
    told = f"{_quoted(focus.title)} cost {reference or rival}, over {nights}."
    return told, f"And it cost {rival}." if reference and rival else ""


def lead(report: ReplayReport) -> Iterator[str]:
    """What else must be known at first sight, each a sentence of its own."""
    focus = focus_year(report)
    if focus is None:
        return
    digits = cost_digits(report)
    reference = year_named(report, report.reference)
    if reference is not None and reference is not focus:
        yield (
            f"In all: {decimal(focus.cost, digits)} under {_quoted(focus.title)} and {decimal(reference.cost, digits)} under "
            f"{_quoted(reference.title)}, over {counted(focus.rows, 'row')} whose outcome is known."
        )
    rival = year_named(report, report.rival)
    beside = f"; {_quoted(rival.title)}: {_worked(rival)}" if rival is not None and rival is not focus else ""
    yield f"{_quoted(focus.title)}: {_worked(focus)}{beside}."
    yield (
        f"{_quoted(focus.title)} raised {decimal(report.false_alarms_per_100_nights, 2)} false alarms per 100 nights up to "
        f"{report.clean_months_last}, with nothing injected."
    )
    yield _incidents(report)


def focus_year(report: ReplayReport) -> PolicyYear | None:
    """The policy in focus, or the last one if there is none of that name."""
    return year_named(report, report.focus) or (report.clean[-1] if report.clean else None)


def year_named(report: ReplayReport, name: str) -> PolicyYear | None:
    return next((year for year in report.clean if year.name == name), None)


def is_told_apart(saved: Interval) -> bool:
    """Whether the interval leaves zero out."""
    return saved.low > 0 or saved.high < 0


def _against(report: ReplayReport, focus: PolicyYear, name: str) -> str:
    other, saved = year_named(report, name), focus.saved.get(name)
    if other is None:
        return ""
    if saved is None or not is_known(saved) or not other.cost:
        return f"what could not be compared with {_quoted(other.title)}"
    size, below, above = abs(saved.value) / other.cost, saved.low / other.cost, saved.high / other.cost
    more = "less" if saved.value >= 0 else "more"
    # The interval is told in the direction of the sentence: "3 % more (1 % to 5 %)", never "(-5 % to -1 %)".
    ends = (below, above) if saved.value >= 0 else (-above, -below)
    level = f"{percent(saved.confidence, 0)} interval {decimal(100 * ends[0], 1)} to {percent(ends[1])}"
    sentence = f"{percent(size)} {more} than {_quoted(other.title)} ({level})"
    return (
        sentence if is_told_apart(saved) else f"{sentence}: zero lies inside, so these nights do not tell the two apart"
    )


def _incidents(report: ReplayReport) -> str:
    if not report.incidents:
        return "No incident was injected, so nothing is said here about how faults are noticed."
    right = sum(incident.is_right for incident in report.incidents)
    waits = [each.nights_to_detection for each in report.incidents if each.nights_to_detection is not None]
    after = f", {_range(min(waits), max(waits))} after they began" if waits else ""
    missed = [each for each in report.incidents if each.detected_on is None]
    told = f"Of {counted(len(report.incidents), 'injected incident')}, {len(waits)} were noticed{after}, {right} as what they were"
    if missed:
        told += f"; not noticed: {', '.join(_quoted(each.title) for each in missed)}"
    wrong = [each for each in report.incidents if each.detected_on is not None and not each.is_right]
    if wrong:
        told += "; taken for something else: " + ", ".join(
            f"{_quoted(each.title)} (for {FINDINGS.get(each.found, each.found)})" for each in wrong
        )
    return f"{told}."


def _worked(year: PolicyYear) -> str:
    made = f"{counted(year.trainings, 'training')}, {counted(year.recalibrations, 'recalibration')}"
    return f"{made}, {counted(year.promotions, 'promotion')}"


def _range(low: int, high: int) -> str:
    return counted(low, "night") if low == high else f"{low} to {counted(high, 'night')}"


def _quoted(title: str) -> str:
    return f"{_OPEN}{title}{_CLOSE}"


def saved_share(saved: Interval | None, report: ReplayReport, name: str) -> float:
    """What was saved as a share of the cost under policy ``name``; NaN where it cannot be known."""
    other = year_named(report, name)
    if saved is None or other is None or not other.cost:
        return math.nan
    return saved.value / other.cost

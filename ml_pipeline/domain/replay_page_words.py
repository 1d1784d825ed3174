"""How the replay's page writes numbers and texts: one way for each kind, and an en dash for what nobody knows."""

import html
import math

from ml_pipeline.domain.replay_report import Interval, ReplayReport

MISSING = "\N{EN DASH}"
FINDINGS = {
    "nothing": "nothing", "bad_data": "bad data", "late_data": "late data", "missing_labels": "missing labels",
    "drift": "drift",
}  # fmt: skip


def escaped(text: object) -> str:
    return html.escape(str(text), quote=True)


def decimal(value: float, digits: int = 4) -> str:
    """With thousands parted by commas and a true minus; infinite counts as not known, as NaN does."""
    if not math.isfinite(value):
        return MISSING
    told = f"{value:,.{digits}f}"
    # A loss that rounds to nothing is nothing: "-0" would ask which way it went.
    is_zero = not told.strip("-0.,")
    return told.lstrip("-") if is_zero else told.replace("-", "\N{MINUS SIGN}")


def signed(value: float, digits: int = 4) -> str:
    told = decimal(value, digits)
    return f"+{told}" if 0 < value < math.inf and told.strip("0.,") else told


def percent(value: float, digits: int = 1) -> str:
    """``value`` as a share of one."""
    return MISSING if not math.isfinite(value) else f"{decimal(100 * value, digits)}\N{NO-BREAK SPACE}%"


def between(low: float, high: float, digits: int) -> str:
    return f"{signed(low, digits)} to {signed(high, digits)}"


def is_known(interval: Interval | None) -> bool:
    return interval is not None and all(map(math.isfinite, (interval.value, interval.low, interval.high)))


def cost_digits(report: ReplayReport) -> int:
    """Digits after the point of every total cost on the page, so that none looks more exact than its neighbour."""
    known = [abs(year.cost) for year in (*report.clean, *report.disturbed) if math.isfinite(year.cost)]
    return 0 if max(known, default=0.0) >= 1000 else 2


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def title_of(report: ReplayReport, name: str) -> str:
    """The title of the policy ``name``, or the name itself if no such policy was run."""
    return next((year.title for year in (*report.clean, *report.disturbed) if year.name == name), name)

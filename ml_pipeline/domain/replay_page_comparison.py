"""The policies side by side: what each saved with its interval, and every number of the year in one table."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ml_pipeline.domain.replay_page_finding import is_told_apart, saved_share, year_named
from ml_pipeline.domain.replay_page_words import (
    MISSING,
    between,
    cost_digits,
    decimal,
    escaped,
    is_known,
    percent,
    signed,
    title_of,
)
from ml_pipeline.domain.replay_page_years import ShownYear
from ml_pipeline.domain.replay_report import Interval, PolicyYear, ReplayReport

BASELINE = "baseline"


@dataclass(frozen=True)
class _Row:
    """``number`` is what ``best`` is picked by, None if none is better by itself; ``begins`` opens a group of rows."""

    name: str
    note: str
    cell: Callable[[PolicyYear], str]
    baseline: str = MISSING
    number: Callable[[PolicyYear], float] | None = None
    best: Callable[[Sequence[float]], float] = min
    begins: bool = False


def savings_plot(report: ReplayReport, years: Sequence[ShownYear]) -> str:
    """What each policy saved against the reference, with its interval around zero; the text says it too."""
    reference = year_named(report, report.reference)
    shown = [(each, each.year.saved.get(report.reference)) for each in years if each.year is not reference]
    known = [(each, saved) for each, saved in shown if saved is not None and is_known(saved)]
    if not known or reference is None:
        return ""
    most = max(abs(end) for _, saved in known for end in (saved.low, saved.high, saved.value)) or 1.0
    confidence = percent(known[0][1].confidence, 0)
    lines = "".join(_saving(report, each, saved, most) for each, saved in known)
    return (
        f'<figure class="card savings"><h2>Cost saved against {escaped(reference.title)}</h2><p class="sides"><span>dearer</span><span>0</span><span>cheaper</span></p><ul>{lines}</ul>'
        f"<figcaption>Point: total over all nights. Bar: {confidence} interval from resampling whole nights. "
        "Shares are of the cost of the policy that it is held against.</figcaption></figure>"
    )


def _saving(report: ReplayReport, shown: ShownYear, saved: Interval, most: float) -> str:
    low, value, _high = (f"{50 + 48 * end / most:.2f}" for end in (saved.low, saved.value, saved.high))
    share, digits = saved_share(saved, report, report.reference), cost_digits(report)
    wide = f"{48 * (saved.high - saved.low) / most:.2f}"
    told = f"{signed(saved.value, digits)} ({between(saved.low, saved.high, digits)}), {percent(share)}"
    certain = "" if is_told_apart(saved) else " <em>the interval includes zero</em>"
    return (
        f'<li class="c{shown.colour % 5}"><span class="name"><i class="swatch"></i>{escaped(shown.year.title)}</span>'
        f'<span class="told">{told}{certain}</span>'
        '<svg width="100%" height="26" aria-hidden="true"><line class="zero" x1="50%" x2="50%" y1="0" y2="26"/>'
        f'<rect class="span" x="{low}%" width="{wide}%" y="9" height="8" rx="4"/>'
        f'<circle class="dot" cx="{value}%" cy="13" r="6.5"/></svg></li>'
    )


def comparison_table(report: ReplayReport, years: Sequence[ShownYear]) -> str:
    """Every policy a column, every number a row, and the baseline beside them where it has the number."""
    head = "".join(
        f'<th scope="col" class="c{each.colour % 5}"><i class="swatch"></i>{escaped(each.year.title)}</th>'
        for each in years
    )
    body = "".join(_line(row, years) for row in _rows(report))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Comparison of the policies"><table class="compare">'
        f'<thead><tr><td></td>{head}<th scope="col" class="soft">Baseline</th></tr></thead><tbody>{body}</tbody></table></div>'
    )


def _line(row: _Row, years: Sequence[ShownYear]) -> str:
    told = [row.cell(each.year) for each in years]
    numbers = [row.number(each.year) if row.number else math.nan for each in years]
    known = [number for number in numbers if math.isfinite(number)]
    best = {told[numbers.index(row.best(known))]} if known else set()
    # Numbers that read alike are alike here: one in bold beside its equal would claim what is not shown.
    shown = best if len(set(told)) > 1 else set()
    cells = "".join(f'<td class="{"best" if cell in shown else "plain"}">{cell}</td>' for cell in told)
    return (
        f'<tr class="{"begins" if row.begins else "plain"}"><th scope="row">{escaped(row.name)}<small>{escaped(row.note)}</small></th>{cells}'
        f'<td class="soft">{row.baseline}</td></tr>'
    )


def _rows(report: ReplayReport) -> Iterator[_Row]:
    digits = cost_digits(report)
    one = next(iter(report.clean), None)
    total = one.baseline_cost if one else math.nan
    a_row = total / one.rows if one and one.rows else math.nan
    yield _Row("Cost a row", "decisions only", lambda year: decimal(_cost_a_row(year)), decimal(a_row), _cost_a_row)
    yield _Row(
        "Cost in all",
        "same unit",
        lambda year: decimal(year.cost, digits),
        decimal(total, digits),
        lambda year: year.cost,
    )
    others = [name for name in dict.fromkeys((report.reference, report.rival)) if year_named(report, name)]
    for name in others:
        yield _Row(f"Saved against {title_of(report, name)}", "cost less, with interval", _saved(report, name))
    yield _Row("Saved against the baseline", "cost less", _saved(report, BASELINE))
    loss = _baseline_log_loss(one) if one else math.nan
    yield _Row(
        "Log loss",
        "nats a row, lower is better",
        lambda year: decimal(year.log_loss),
        decimal(loss),
        lambda year: year.log_loss,
        begins=True,
    )
    yield _Row("Brier score", "lower is better", lambda year: decimal(year.brier), MISSING, lambda year: year.brier)
    yield _Row(
        "ROC AUC", "higher is better", lambda year: decimal(year.roc_auc), MISSING, lambda year: year.roc_auc, max
    )
    yield _Row(
        "Average precision", "higher is better", lambda year: decimal(year.average_precision), MISSING,
        lambda year: year.average_precision, max,
    )  # fmt: skip
    yield _Row(
        "Calibration error", "lower is better", lambda year: decimal(year.calibration_error), MISSING,
        lambda year: year.calibration_error,
    )  # fmt: skip
    yield _Row("Trainings", "models trained anew", lambda year: f"{year.trainings:,}", begins=True)
    yield _Row("Recalibrations", "new calibrator, same trees", lambda year: f"{year.recalibrations:,}")
    yield _Row("Promotions", "passed the gate", lambda year: f"{year.promotions:,}")
    yield _Row("Alarms", "a person is told", lambda year: f"{year.alarms:,}")
    yield _Row(
        "False alarms per 100 nights", f"up to {report.clean_months_last}",
        lambda year: decimal(false_alarm_rate(report, year), 2),
    )  # fmt: skip
    yield _Row("Rows with a known outcome", "all numbers above are of these", lambda year: f"{year.rows:,}")


def false_alarm_rate(report: ReplayReport, year: PolicyYear) -> float:
    """False alarms per 100 nights up to ``clean_months_last``; NaN if no night lies there."""
    nights = sum(night.night <= report.clean_months_last for night in year.nights)
    return 100 * year.false_alarms / nights if nights else math.nan


def _cost_a_row(year: PolicyYear) -> float:
    return year.cost / year.rows if year.rows else math.nan


def _baseline_log_loss(year: PolicyYear) -> float:
    known = [night for night in year.nights if night.rows and math.isfinite(night.baseline_log_loss)]
    rows = sum(night.rows for night in known)
    return sum(night.baseline_log_loss * night.rows for night in known) / rows if rows else math.nan


def _saved(report: ReplayReport, name: str) -> Callable[[PolicyYear], str]:
    digits = cost_digits(report)

    def cell(year: PolicyYear) -> str:
        saved = year.saved.get(name)
        if saved is None and name == BASELINE:
            return signed(year.baseline_cost - year.cost, digits)
        if saved is None:
            return MISSING
        return f"{signed(saved.value, digits)}<small>{between(saved.low, saved.high, digits)}</small>"

    return cell

"""The year in charts: what was saved so far, cost and log loss by night, and a lane for each policy below."""

from collections.abc import Callable, Iterator, Sequence

from ml_pipeline.domain.replay_page_axis import ROLLING_NIGHTS, Values, rolling_mean, running_total
from ml_pipeline.domain.replay_page_comparison import BASELINE
from ml_pipeline.domain.replay_page_finding import focus_year, year_named
from ml_pipeline.domain.replay_page_lanes import lane, mark_shape
from ml_pipeline.domain.replay_page_lines import Line, panel
from ml_pipeline.domain.replay_page_words import counted, escaped
from ml_pipeline.domain.replay_page_years import ShownYear, axis_of
from ml_pipeline.domain.replay_report import ReplayedNight, ReplayReport

_COLUMNS = (
    ("Model", "far"), ("Rows", "far"), ("Cost a row", ""), ("Log loss", ""), ("Brier", "far"), ("Drifted", ""),
    ("Saving known", "far"), ("Expected log loss", "far"), ("Verdict", ""),
)  # fmt: skip


def year_section(report: ReplayReport, years: Sequence[ShownYear], most_drift: float) -> str:
    if not years:
        return '<p class="soft">No policy was replayed.</p>'
    lanes = "".join(
        f'<h3 class="c{each.colour % 5}"><i class="swatch"></i>{escaped(each.year.title)} <span>{_worked(each)}</span></h3>'
        f"{lane(each, most_drift)}"
        for each in years
    )
    return f'{_choice(report, years)}{_readout(report, years)}<div class="card chart">{"".join(_panels(report, years))}{lanes}{_key()}</div>'


def _choice(report: ReplayReport, years: Sequence[ShownYear]) -> str:
    """Buttons that are the legend as well; which one is chosen is the style's business."""
    focus = focus_year(report)
    buttons = "".join(
        f'<label class="of c{each.colour % 5}"><input type="radio" name="policy" id="pick-{each.key}" data-key="{each.key}" '
        f'data-colour="{each.colour % 5}" data-title="{escaped(each.year.title)}"{" data-focus" if each.year is focus else ""}>{_sample(f"c{each.colour % 5}")}'
        f"{escaped(each.year.title)}</label>"
        for each in years
    )
    everyone = '<label><input type="radio" name="policy" id="pick-all" checked>All</label>'
    baseline = f'<ul class="key"><li>{_sample(BASELINE)}baseline</li></ul>'
    return f'<fieldset class="choice"><legend>Show</legend>{everyone}{buttons}{baseline}</fieldset>'


def _sample(kind: str) -> str:
    kind = "base" if kind == BASELINE else kind
    return f'<svg width="30" height="8" aria-hidden="true"><path class="line {kind}" d="M1 4H29"/></svg>'


def _panels(report: ReplayReport, years: Sequence[ShownYear]) -> Iterator[str]:
    # What is drawn last lies on top: the policy in focus.
    drawn = sorted(years, key=lambda each: -each.colour)
    axis = axis_of(report)
    reference = year_named(report, report.reference)
    if reference is not None and len(years) > 1:
        theirs = axis.spread(reference, lambda night: night.cost)
        saved = [Line(each.kind, _saved(each, theirs)) for each in drawn if each.year is not reference]
        yield _titled(f"Cost saved so far against {reference.title}", "running total; above zero is cheaper")
        yield panel(
            axis, saved, height=190, label=f"Cost saved so far against {reference.title}, by policy", is_signed=True
        )
    yield _titled("Cost a row", f"{ROLLING_NIGHTS}-night mean; the axis need not begin at zero")
    lines = [Line("base", _rolling(drawn[0], lambda night: night.baseline_cost))]
    lines += [Line(each.kind, _rolling(each, lambda night: night.cost)) for each in drawn]
    yield panel(axis, lines, height=200, label="Cost a row by night, 28-night mean, by policy and of the baseline")
    yield _titled("Log loss", f"nats a row, {ROLLING_NIGHTS}-night mean; the axis need not begin at zero")
    lines = [Line("base", _rolling(drawn[0], lambda night: night.baseline_log_loss * night.rows))]
    lines += [Line(each.kind, _rolling(each, lambda night: night.log_loss * night.rows)) for each in drawn]
    yield panel(axis, lines, height=200, label="Log loss by night, 28-night mean, by policy and of the baseline")


def _saved(shown: ShownYear, theirs: Values) -> Values:
    ours = shown.axis.spread(shown.year, lambda night: night.cost)
    return running_total(other - own for other, own in zip(theirs, ours, strict=True))


def _rolling(shown: ShownYear, total: Callable[[ReplayedNight], float]) -> Values:
    rows = shown.axis.spread(shown.year, lambda night: float(night.rows))
    return rolling_mean(shown.axis.spread(shown.year, total), rows)


def _titled(title: str, words: str) -> str:
    return f"<h3>{escaped(title)} <span>{escaped(words)}</span></h3>"


def _worked(shown: ShownYear) -> str:
    year = shown.year
    made = f"{counted(year.trainings, 'training')}, {counted(year.recalibrations, 'recalibration')}"
    return f"{made}, {counted(year.promotions, 'promotion')}, {counted(year.alarms, 'alarm')}"


def _key() -> str:
    marks = (
        ("", "retrain", "asked for a training"), ("", "recalibrate", "asked for a recalibration"), ("", "alarm", "alarm, advisory"),
        ("warn", "alarm", "alarm, blocking"), ("hollow", "retrain", "trained, refused by the gate"),
        ("hollow", "recalibrate", "recalibrated, refused"),
    )  # fmt: skip
    items = "".join(
        f'<li><svg width="16" height="16" viewBox="-8 -8 16 16" aria-hidden="true"><path class="{kind}" d="{mark_shape(shape)}"/></svg>{words}</li>'
        for kind, shape, words in marks
    )
    return f'<ul class="key">{items}<li>Bars: the model that answered. Steps: drifted share of the features.</li></ul>'


def _readout(report: ReplayReport, years: Sequence[ShownYear]) -> str:
    """Filled by the script alone, so hidden without it: the tables below hold every number of it."""
    axis = axis_of(report)
    asked = [night.night for each in years if each.year.name == report.focus for night in each.decisions()]
    first = axis.place(asked[0]) if asked else axis.width - 1
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' for name, kind in _COLUMNS)
    return (
        '<div class="card readout" id="readout" hidden><label for="night">Night <span id="night-name"></span>'
        f'<input type="range" id="night" min="0" max="{axis.width - 1}" value="{first}"></label>'
        f'<table><thead><tr><td></td>{head}</tr></thead><tbody id="readout-rows"></tbody></table>'
        '<ul id="readout-reasons"></ul></div><noscript><p class="soft">Without scripts nothing is missing: '
        "every night of these charts stands in the tables below.</p></noscript>"
    )

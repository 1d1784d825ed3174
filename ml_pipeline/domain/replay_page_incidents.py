"""The injected incidents: what was done to the data, what the pipeline made of it, and the nights around it."""

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta

from ml_pipeline.domain.replay_page_axis import NightAxis, Values, mean_cost
from ml_pipeline.domain.replay_page_lanes import area, lane, mark_shape
from ml_pipeline.domain.replay_page_lines import path, stretched
from ml_pipeline.domain.replay_page_tables import labelled_cells
from ml_pipeline.domain.replay_page_words import FINDINGS, MISSING, counted, escaped
from ml_pipeline.domain.replay_page_years import ShownYear, undisturbed
from ml_pipeline.domain.replay_report import PolicyYear, ReplayedIncident, ReplayReport

_AROUND = timedelta(days=14)
_HEIGHT, _LINE_TOP, _LINE_FOOT, _DRIFT_TOP, _DRIFT_FOOT, _MARKS = 132.0, 18.0, 72.0, 78.0, 104.0, 10.0

_COLUMNS = (
    "Incident", "Source", "Nights", "It was", "Taken for", "Noticed on", "Nights to detection", "Noticed by",
)  # fmt: skip


def incidents_section(report: ReplayReport, years: Sequence[ShownYear], most_drift: float) -> str:
    if not report.incidents:
        return "<p>No incident was injected in this replay: it says nothing about how a fault would be noticed.</p>"
    lanes = "".join(
        f'<h3 class="{shown.kind}"><i class="swatch"></i>{escaped(shown.year.title)}, the year with the incidents</h3>'
        f"{lane(shown, most_drift, report.incidents)}"
        for shown in years
    )
    cards = "".join(_card(incident, report, years, most_drift) for incident in report.incidents)
    return f'{_table(report.incidents)}<div class="card chart">{lanes}</div><div class="incidents">{cards}</div>'


def _table(incidents: Sequence[ReplayedIncident]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    rows = "".join(_row(incident) for incident in incidents)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Incidents"><table class="facts wide">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(incident: ReplayedIncident) -> str:
    waited = incident.nights_to_detection
    cells = (
        incident.source, f"{incident.first} to {incident.last}", _finding(incident.truth),
        _finding(incident.found) + (" (right)" if incident.is_right else " (wrong)"),
        str(incident.detected_on or "never"), MISSING if waited is None else f"{waited:,}", incident.detected_by or MISSING,
    )  # fmt: skip
    return f'<tr><th scope="row">{escaped(incident.title)}</th>{labelled_cells(_COLUMNS, cells)}</tr>'


def _finding(found: str) -> str:
    return FINDINGS.get(found, found)


def _card(incident: ReplayedIncident, report: ReplayReport, years: Sequence[ShownYear], most_drift: float) -> str:
    strips = "".join(_strip(incident, shown, undisturbed(shown, report), most_drift) for shown in years)
    verdict = "right" if incident.is_right else "wrong"
    told = "not noticed"
    if incident.detected_on is not None:
        waited = incident.nights_to_detection
        after = f" after {counted(waited, 'night')}" if waited else f" on {incident.detected_on}"
        after = " on the first night" if waited == 0 else after
        told = f"noticed{after} as {_finding(incident.found)}" + (
            f", by {incident.detected_by}" if incident.detected_by else ""
        )
    return (
        f'<article class="card"><h3>{escaped(incident.title)}</h3><p class="soft">{escaped(incident.source)}, {incident.first} to '
        f'{incident.last}: {_finding(incident.truth)}</p><p class="verdict {verdict}">{escaped(told)}</p>'
        f"<p>{escaped(incident.words)}</p>{strips}</article>"
    )


def _strip(incident: ReplayedIncident, shown: ShownYear, clean: PolicyYear | None, most_drift: float) -> str:
    """The nights around the incident: cost a row with and without it, drift below, what the policy asked for above."""
    last = max(incident.last, incident.detected_on or incident.last) + _AROUND
    axis = NightAxis(max(shown.axis.first, incident.first - _AROUND), min(shown.axis.last, last))
    ours = axis.spread(shown.year, mean_cost)
    theirs = axis.spread(clean, mean_cost) if clean else ()
    label = f"{shown.year.title} around {incident.title}: cost a row by night, {axis.first} to {axis.last}"
    return "".join([
        f'<figure class="strip c{shown.colour % 5}"><svg width="100%" height="{_HEIGHT:g}" role="img" aria-label="{escaped(label)}">',
        *_shade(axis, incident),
        *_lines(axis, ours, theirs),
        stretched(axis, _HEIGHT, _drift(axis, shown, most_drift)),
        f'<line class="zero" x1="0" x2="100%" y1="{_DRIFT_FOOT:g}" y2="{_DRIFT_FOOT:g}"/>',
        *_marks(axis, shown),
        f'<text class="soft" x="0" y="{_HEIGHT - 10:g}">{axis.first:%d %b}</text>',
        f'<text class="soft" x="100%" text-anchor="end" y="{_HEIGHT - 10:g}">{axis.last:%d %b}</text>',
        f"</svg><figcaption>{escaped(shown.year.title)}</figcaption></figure>",
    ])  # fmt: skip


def _shade(axis: NightAxis, incident: ReplayedIncident) -> Iterator[str]:
    left, right = axis.left(incident.first), axis.right(incident.last)
    yield f'<rect class="incident" x="{left:.2f}%" width="{right - left:.2f}%" y="0" height="{_DRIFT_FOOT:g}"/>'
    if incident.detected_on is not None and incident.detected_on in axis:
        x = axis.middle(incident.detected_on)
        yield f'<line class="noticed" x1="{x}" x2="{x}" y1="0" y2="{_DRIFT_FOOT:g}"/>'
        anchor = "end" if axis.left(incident.detected_on) > 70 else "start"
        yield f'<text class="soft" x="{x}" text-anchor="{anchor}" y="{_HEIGHT - 10:g}">noticed</text>'


def _lines(axis: NightAxis, ours: Values, theirs: Values) -> Iterator[str]:
    known = [value for value in (*ours, *theirs) if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    span = high - low or 1.0

    def y(value: float) -> float:
        return _LINE_TOP + (_LINE_FOOT - _LINE_TOP) * (high - value) / span

    # Theirs lies on top and is dashed: where both are equal, both are seen.
    drawn = f'<path class="line own" vector-effect="non-scaling-stroke" d="{path(ours, y)}"/>'
    drawn += f'<path class="line base" vector-effect="non-scaling-stroke" d="{path(theirs, y)}"/>'
    yield stretched(axis, _HEIGHT, drawn)


def _drift(axis: NightAxis, shown: ShownYear, most_drift: float) -> str:
    shares = axis.spread(shown.year, lambda night: night.drifted_share)
    return f'<path class="drift" d="{area(shares, _DRIFT_FOOT - _DRIFT_TOP, _DRIFT_FOOT, most_drift)}"/>'


def _marks(axis: NightAxis, shown: ShownYear) -> Iterator[str]:
    for night in shown.decisions():
        if night.night in axis:
            kind = "blocking" if night.severity == "blocking" else "advisory"
            yield (
                f'<a class="mark {kind}" href="#{shown.decision_id(night.night)}" aria-label="{night.night}: {escaped(night.verdict)}">'
                f'<svg x="{axis.middle(night.night)}" y="{_MARKS:g}" overflow="visible"><path d="{mark_shape(night.verdict)}"/>'
                f"<title>{night.night}: {escaped(night.verdict)}. {escaped(night.reasons)}</title></svg></a>"
            )

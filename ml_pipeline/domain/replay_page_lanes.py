"""One lane a policy: what it decided, which model answered when, and how much of the features had drifted."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ml_pipeline.domain.replay_page_axis import NightAxis, Values
from ml_pipeline.domain.replay_page_lines import crosshair, month_names, stretched
from ml_pipeline.domain.replay_page_words import escaped, percent
from ml_pipeline.domain.replay_page_years import ShownYear
from ml_pipeline.domain.replay_report import ReplayedIncident, ReplayedModel, ReplayedNight
from ml_pipeline.nights import Night

_MARKS, _BARS, _BAR, _DRIFT, _HEIGHT = 11.0, 24.0, 20.0, 50.0, 116.0
_DRIFT_FOOT = 94.0
_SHAPES = {
    "retrain": "M0 -6.5L6 4.5H-6Z",
    "recalibrate": "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z",
    "alarm": "M0 -6L6 0L0 6L-6 0Z",
}
_OTHER_SHAPE = "M-4.5 -4.5H4.5V4.5H-4.5Z"
_SHAPE_OF_ACT = {"train": _SHAPES["retrain"], "recalibrate": _SHAPES["recalibrate"]}


@dataclass(frozen=True)
class Service:
    """Nights in a row that one model answered from one rung."""

    model_version: str
    served_by: str
    first: Night
    last: Night


def services(nights: Sequence[ReplayedNight]) -> tuple[Service, ...]:
    """Who answered when, by the nights themselves, so that a rollback is seen."""
    if not nights:
        return ()
    starts = [0]
    starts += [
        place
        for place, (before, night) in enumerate(pairwise(nights), start=1)
        if (before.model_version, before.served_by) != (night.model_version, night.served_by)
        or (night.night - before.night).days > 1
    ]
    ends = [*starts[1:], len(nights)]
    return tuple(
        Service(nights[start].model_version, nights[start].served_by, nights[start].night, nights[end - 1].night)
        for start, end in zip(starts, ends, strict=True)
    )


def lane(shown: ShownYear, most_drift: float, incidents: Sequence[ReplayedIncident] = ()) -> str:
    """The SVG of one lane; ``most_drift`` is the drifted share at the top of its strip, equal in all lanes."""
    title = f"{shown.year.title}: decisions, serving models and drifted share by night; the tables below hold the same"
    axis = shown.axis
    return "".join([
        f'<svg class="year lane {shown.kind}" width="100%" height="{_HEIGHT:g}" role="group" aria-label="{escaped(title)}">',
        *(_band(axis, incident) for incident in incidents),
        *month_names(axis, _HEIGHT),
        *(_bar(axis, place, service) for place, service in enumerate(services(shown.year.nights))),
        *(_refused(axis, model) for model in shown.year.models if not model.is_promoted and model.made_on in axis),
        *_drift(shown, most_drift),
        crosshair(_HEIGHT),
        *(_decision(shown, night) for night in shown.decisions()),
        "</svg>",
    ])  # fmt: skip


def drift_top(years: Sequence[ShownYear]) -> float:
    """The highest drifted share of all years, up to the next tenth."""
    known = [night.drifted_share for shown in years for night in shown.year.nights]
    most = max((share for share in known if math.isfinite(share)), default=0.0)
    return min(1.0, max(0.1, math.ceil(most * 10 - 1e-9) / 10))


def area(values: Values, height: float, foot: float, top: float) -> str:
    """Filled steps, one a night, in units of nights across; a night that is not known has no step."""
    return "".join(
        f"M{place} {foot:g}v{-height * min(value / top, 1):.1f}h1V{foot:g}z"
        for place, value in enumerate(values)
        if math.isfinite(value) and value > 0
    )


def mark_shape(verdict: str) -> str:
    return _SHAPES.get(verdict, _OTHER_SHAPE)


def _band(axis: NightAxis, incident: ReplayedIncident) -> str:
    left, right = axis.left(incident.first), axis.right(incident.last)
    return (
        f'<rect class="incident" x="{left:.3f}%" width="{max(right - left, 0.2):.3f}%" y="0" height="{_DRIFT_FOOT:g}">'
        f"<title>{escaped(incident.title)}, {incident.first} to {incident.last}</title></rect>"
    )


def _bar(axis: NightAxis, place: int, service: Service) -> str:
    left, right = axis.left(service.first), axis.right(service.last)
    kind = "fallback" if service.served_by == "baseline" else "even" if place % 2 else "odd"
    rung = "" if service.served_by == "champion" else f" ({service.served_by})"
    told = f"{service.model_version}{rung} answered {service.first} to {service.last}"
    return (
        f'<svg x="{left:.3f}%" y="{_BARS:g}" width="{right - left:.3f}%" height="{_BAR:g}">'
        f'<rect class="bar {kind}" width="100%" height="{_BAR:g}"/><rect class="edge" width="2" height="{_BAR:g}"/>'
        f'<text x="6" y="14">{escaped(service.model_version)}</text><title>{escaped(told)}</title></svg>'
    )


def _refused(axis: NightAxis, model: ReplayedModel) -> str:
    told = f"{model.version} ({model.act}) refused on {model.made_on}: {'; '.join(model.reasons)}"
    return (
        f'<svg class="refused" x="{axis.middle(model.made_on)}" y="{_BARS + _BAR / 2:g}" overflow="visible">'
        f'<path d="{_SHAPE_OF_ACT[model.act]}"/><title>{escaped(told)}</title></svg>'
    )


def _drift(shown: ShownYear, top: float) -> Iterator[str]:
    values = shown.axis.spread(shown.year, lambda night: night.drifted_share)
    room = _DRIFT_FOOT - _DRIFT
    steps = f'<path class="drift" d="{area(values, room, _DRIFT_FOOT, top)}"/>'
    yield stretched(shown.axis, _HEIGHT, steps)
    yield f'<line class="zero" x1="0" x2="100%" y1="{_DRIFT_FOOT:g}" y2="{_DRIFT_FOOT:g}"/>'
    yield f'<line class="grid" x1="0" x2="100%" y1="{_DRIFT:g}" y2="{_DRIFT:g}"/>'
    yield f'<text class="soft level" x="0" y="{_DRIFT + 11:g}">{percent(top, 0)} drifted</text>'


def _decision(shown: ShownYear, night: ReplayedNight) -> str:
    told = f"{night.night}: {night.verdict} ({night.severity}). {night.reasons}"
    short = f"{night.night}: {night.verdict}"
    return (
        f'<a href="#{shown.decision_id(night.night)}" id="{shown.mark_id(night.night)}" aria-label="{escaped(short)}" '
        f'class="mark {"blocking" if night.severity == "blocking" else "advisory"}">'
        f'<svg x="{shown.axis.middle(night.night)}" y="{_MARKS:g}" overflow="visible">'
        f'<path d="{mark_shape(night.verdict)}"/><title>{escaped(told)}</title></svg></a>'
    )

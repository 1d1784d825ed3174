"""Panels of lines over the nights. Everything but the lines stands in percent, so text keeps its size on any screen."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ml_pipeline.domain.replay_page_axis import NightAxis, Values, ticks
from ml_pipeline.domain.replay_page_words import decimal, escaped

_TOP, _BOTTOM = 16.0, 20.0


@dataclass(frozen=True)
class Line:
    """``kind`` is the class that colours it; values by place on the axis, NaN breaks the line."""

    kind: str
    values: Values


def panel(axis: NightAxis, lines: Sequence[Line], *, height: int, label: str, is_signed: bool = False) -> str:
    """One SVG panel; the vertical axis holds what the lines hold and need not begin at zero."""
    known = [value for line in lines for value in line.values if math.isfinite(value)]
    if is_signed:
        known.append(0.0)
    if not known:
        return '<p class="soft">No night has this number.</p>'
    levels = ticks(min(known), max(known))
    scale = _Scale(levels[0], levels[-1], height)
    drawn = "".join(
        f'<path class="line {line.kind}" vector-effect="non-scaling-stroke" d="{path(line.values, scale.y)}"/>'
        for line in lines
    )
    return "".join([
        f'<svg class="year" width="100%" height="{height}" role="img" aria-label="{escaped(label)}">',
        *_grid(levels, scale),
        *month_names(axis, height),
        stretched(axis, height, drawn),
        *_levels(levels, scale),
        crosshair(height),
        "</svg>",
    ])  # fmt: skip


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    height: float

    def y(self, value: float) -> float:
        room = self.height - _TOP - _BOTTOM
        return _TOP + room * (self.high - value) / (self.high - self.low)


def path(values: Values, y_of: Callable[[float], float]) -> str:
    """The line through the middles of the nights' bands, in units of nights across and pixels down."""
    parts, is_open = [], False
    for place, value in enumerate(values):
        if not math.isfinite(value):
            is_open = False
            continue
        # A single known night between unknown ones is still seen: a stroke of no length has round ends.
        parts.append(f"{'L' if is_open else 'M'}{place + 0.5:g} {y_of(value):.1f}" + ("" if is_open else "h0"))
        is_open = True
    return "".join(parts)


def stretched(axis: NightAxis, height: float, drawn: str) -> str:
    """``drawn`` in units of nights, pulled to the width of the chart; strokes keep their width."""
    return (
        f'<svg x="0" y="0" width="100%" height="{height:g}" viewBox="0 0 {axis.width} {height:g}" '
        f'preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>'
    )


def crosshair(height: float) -> str:
    return f'<line class="now" x1="0" x2="0" y1="0" y2="{height:g}" visibility="hidden"/>'


def month_names(axis: NightAxis, height: float) -> Iterator[str]:
    for month in axis.months():
        x = f"{axis.left(month):.3f}%"
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP - 8:g}" y2="{height - 4:g}"/>'
        yield f'<text class="soft" x="{x}" dx="4" y="{height - 6:g}">{month:%b}</text>'


def _grid(levels: Sequence[float], scale: _Scale) -> Iterator[str]:
    for level in levels:
        y = f"{scale.y(level):.1f}"
        yield f'<line class="{"grid" if level else "zero"}" x1="0" x2="100%" y1="{y}" y2="{y}"/>'


def _levels(levels: Sequence[float], scale: _Scale) -> Iterator[str]:
    """After the lines and with a rim of paper, so that no line runs through a number."""
    digits = max(0, -math.floor(math.log10(levels[1] - levels[0]) + 1e-9))
    for level in levels:
        yield f'<text class="soft level" x="0" y="{scale.y(level) - 4:.1f}">{decimal(level, digits)}</text>'

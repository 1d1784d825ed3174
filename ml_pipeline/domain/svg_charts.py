"""Two small charts as SVG text: equal numbers give equal bytes, and colours come from the page that shows them."""

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ml_pipeline.domain.reliability import ReliabilityPoint

_LEFT, _TOP, _SIDE, _BARS, _GAP = 58.0, 34.0, 430.0, 56.0, 40.0
_NAME_WIDTH, _ROW_HEIGHT, _SPAN_WIDTH = 210.0, 22.0, 330.0


def reliability_svg(
    model: Sequence[ReliabilityPoint], baseline: Sequence[ReliabilityPoint], probability_bars: Sequence[int]
) -> str:
    """Observed share over mean probability with 95 % bars, and below it how often each probability is said."""
    ends = [end for point in (*model, *baseline) for end in (point.mean_probability, point.observed_share, point.high)]
    upper = min(1.0, math.ceil(max((end for end in ends if not math.isnan(end)), default=1.0) * 10) / 10)
    upper = upper or 1.0
    height = _TOP + _SIDE + _GAP + _BARS + 44
    parts = [
        _opened(_LEFT + _SIDE + 20, height, "Observed share over mean probability, with intervals"),
        *_grid(upper),
        f'<line class="ideal" x1="{_x(0, upper)}" y1="{_y(0, upper)}" x2="{_x(upper, upper)}" y2="{_y(upper, upper)}"/>',
        *_series("baseline", baseline, upper),
        *_series("model", model, upper),
        *_probability_bars(probability_bars, upper),
        *_legend(),
    ]
    return "".join([*parts, "</svg>"])


def _opened(width: float, height: float, label: str) -> str:
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    return f'<svg {size} role="img" aria-label="{html.escape(label)}">'


def _x(value: float, upper: float) -> str:
    return f"{_LEFT + _SIDE * value / upper:.1f}"


def _y(value: float, upper: float) -> str:
    return f"{_TOP + _SIDE * (1 - value / upper):.1f}"


def _grid(upper: float) -> Iterator[str]:
    step = 0.1 if upper < 0.85 else 0.2
    for number in range(round(upper / step) + 1):
        at = number * step
        yield f'<line class="grid" x1="{_x(0, upper)}" y1="{_y(at, upper)}" x2="{_x(upper, upper)}" y2="{_y(at, upper)}"/>'
        yield f'<line class="grid" x1="{_x(at, upper)}" y1="{_y(0, upper)}" x2="{_x(at, upper)}" y2="{_y(upper, upper)}"/>'
        yield f'<text class="soft" x="{_LEFT - 8:.1f}" y="{_y(at, upper)}" dy="4" text-anchor="end">{at:.1f}</text>'
        yield f'<text class="soft" x="{_x(at, upper)}" y="{_TOP + _SIDE + 17:.1f}" text-anchor="middle">{at:.1f}</text>'
    middle = _TOP + _SIDE / 2
    yield f'<text class="soft" transform="translate(14 {middle:.1f}) rotate(-90)" text-anchor="middle">observed share</text>'


def _series(kind: str, points: Sequence[ReliabilityPoint], upper: float) -> Iterator[str]:
    corners = " ".join(f"{_x(point.mean_probability, upper)},{_y(point.observed_share, upper)}" for point in points)
    yield f'<polyline class="{kind}" stroke-width="1" stroke-opacity=".5" points="{corners}"/>'
    for point in points:
        x = _x(point.mean_probability, upper)
        told = f"{kind}: said {point.mean_probability:.3f}, happened {point.observed_share:.3f}"
        if not math.isnan(point.low):
            told += f" ({point.low:.3f} to {point.high:.3f})"
            yield f'<line class="{kind}" stroke-width="1.6" x1="{x}" y1="{_y(point.low, upper)}" x2="{x}" y2="{_y(min(point.high, upper), upper)}"/>'
        radius = 4.5 if kind == "model" else 3.5
        yield (
            f'<circle class="dot-{kind}" stroke-width="1.6" cx="{x}" cy="{_y(point.observed_share, upper)}" r="{radius}">'
            f"<title>{told}, {point.rows:,} rows</title></circle>"
        )


def _probability_bars(bars: Sequence[int], upper: float) -> Iterator[str]:
    base, width = _TOP + _SIDE + _GAP + _BARS, 1 / max(len(bars), 1)
    most = max(bars, default=0) or 1
    for place, rows in enumerate(bars):
        if rows and place * width < upper:
            tall, wide = _BARS * rows / most, _SIDE * min(width, upper - place * width) / upper - 1
            yield f'<rect class="bar" x="{_x(place * width, upper)}" y="{base - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}"/>'
    yield f'<line class="quiet" x1="{_x(0, upper)}" y1="{base:.1f}" x2="{_x(upper, upper)}" y2="{base:.1f}"/>'
    yield f'<text class="soft" x="{_LEFT + _SIDE / 2:.1f}" y="{base + 18:.1f}" text-anchor="middle">probability, and how many rows are told it</text>'


def _legend() -> Iterator[str]:
    entries = (("model", "model", _LEFT), ("baseline", "baseline", _LEFT + 88))
    for kind, name, x in entries:
        yield f'<circle class="dot-{kind}" stroke-width="1.6" cx="{x + 6:.1f}" cy="14" r="4.5"/>'
        yield f'<text x="{x + 16:.1f}" y="18">{name}</text>'
    x = _LEFT + 190
    yield f'<line class="ideal" x1="{x:.1f}" y1="14" x2="{x + 24:.1f}" y2="14"/><text x="{x + 30:.1f}" y="18">means what it says</text>'


@dataclass(frozen=True)
class Span:
    """One line of a chart of intervals; ``is_off`` sets it out, NaN ends leave the interval away, ``is_quiet`` greys it."""

    name: str
    value: float
    low: float
    high: float
    is_off: bool = False
    is_quiet: bool = False


def intervals_svg(spans: Sequence[Span], *, below: str, above: str, label: str) -> str:
    """Values with their intervals around zero, one line each; ``below`` and ``above`` name the two sides of zero."""
    known = [abs(end) for span in spans for end in (span.value, span.low, span.high) if not math.isnan(end)]
    most = max(known, default=0.0) or 1.0
    height = 30 + _ROW_HEIGHT * len(spans) + 8
    zero = _NAME_WIDTH + _SPAN_WIDTH / 2
    width = _NAME_WIDTH + _SPAN_WIDTH + 230
    parts = [
        _opened(width, height, label),
        f'<line class="ideal" x1="{zero:.1f}" y1="22" x2="{zero:.1f}" y2="{height - 6:.1f}"/>',
        f'<text class="soft" x="{zero - 8:.1f}" y="14" text-anchor="end">{html.escape(below)} &#8592;</text>',
        f'<text class="soft" x="{zero + 8:.1f}" y="14">&#8594; {html.escape(above)}</text>',
    ]
    for place, span in enumerate(spans):
        parts += _span_line(span, 30 + _ROW_HEIGHT * (place + 0.5), zero, _SPAN_WIDTH / 2 / most)
    return "".join([*parts, "</svg>"])


def _span_line(span: Span, y: float, zero: float, scale: float) -> Iterator[str]:
    kind = "off" if span.is_off else "quiet" if span.is_quiet else "model"
    yield f'<text x="{_NAME_WIDTH - 12:.1f}" y="{y + 4:.1f}" text-anchor="end">{html.escape(span.name)}</text>'
    told = f"{span.value:+.4f}"
    if not math.isnan(span.low):
        low, high = zero + span.low * scale, zero + span.high * scale
        yield f'<line class="{kind}" stroke-width="2" x1="{low:.1f}" y1="{y:.1f}" x2="{high:.1f}" y2="{y:.1f}"/>'
        told += f" ({span.low:+.4f} to {span.high:+.4f})"
    yield f'<circle class="dot-{kind}" cx="{zero + span.value * scale:.1f}" cy="{y:.1f}" r="4"/>'
    yield f'<text class="soft" x="{_NAME_WIDTH + _SPAN_WIDTH + 14:.1f}" y="{y + 4:.1f}">{told}</text>'

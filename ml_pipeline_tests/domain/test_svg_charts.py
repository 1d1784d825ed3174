import xml.etree.ElementTree as ET

import pytest

from ml_pipeline.domain.reliability import ReliabilityPoint
from ml_pipeline.domain.svg_charts import Span, intervals_svg, reliability_svg

NAN = float("nan")
MODEL = [ReliabilityPoint(0.1, 0.05, 0.02, 0.09, 900), ReliabilityPoint(0.4, 0.5, 0.45, 0.6, 900)]
BASELINE = [ReliabilityPoint(0.2, 0.3, NAN, NAN, 1800)]


def drawn(svg: str, tag: str, kind: str) -> list[dict[str, str]]:
    return [dict(one.attrib) for one in ET.fromstring(svg).iter(tag) if one.get("class") == kind]


def test_points_on_the_diagonal_lie_on_it_and_bars_span_their_interval() -> None:
    svg = reliability_svg([ReliabilityPoint(0.3, 0.3, 0.2, 0.4, 9), *MODEL], BASELINE, [1, 2, 3, 4])
    (ideal,) = [one for one in drawn(svg, "line", "ideal") if one["x1"] != one["x2"] and one["y1"] != one["y2"]]
    x1, y1, x2, y2 = (float(ideal[name]) for name in ("x1", "y1", "x2", "y2"))
    dot = drawn(svg, "circle", "dot-model")[0]
    across = (float(dot["cx"]) - x1) / (x2 - x1)
    assert (float(dot["cy"]) - y1) / (y2 - y1) == pytest.approx(across, abs=1e-3)
    assert float(drawn(svg, "circle", "dot-model")[2]["cy"]) < float(dot["cy"]), "a greater share lies higher"
    bars = drawn(svg, "line", "model")
    assert len(bars) == 3
    assert (float(bars[0]["y1"]) + float(bars[0]["y2"])) / 2 == pytest.approx(float(dot["cy"]), abs=0.1)


def test_a_point_without_an_interval_has_no_bar() -> None:
    svg = reliability_svg(MODEL, BASELINE, [])
    assert len(drawn(svg, "circle", "dot-baseline")) == 2, "one point and the legend"
    assert drawn(svg, "line", "baseline") == []


def test_everything_lies_on_the_sheet() -> None:
    svg = reliability_svg([ReliabilityPoint(1.0, 1.0, 0.9, 1.0, 5), *MODEL], BASELINE, [5] * 25)
    root = ET.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for one in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(one.get(name, 0)) <= width
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(one.get(name, 0)) <= height


def test_intervals_stand_around_zero_and_what_is_off_is_set_out() -> None:
    svg = intervals_svg(
        [Span("a<b", 0.2, 0.1, 0.3, is_off=True), Span("c", -0.2, -0.3, 0.1), Span("d", 0.0, NAN, NAN)],
        below="less", above="more", label="gaps",
    )  # fmt: skip
    zero = float(drawn(svg, "line", "ideal")[0]["x1"])
    (off,), (usual,) = drawn(svg, "line", "off"), drawn(svg, "line", "model")
    assert float(off["x1"]) > zero
    assert float(usual["x1"]) < zero < float(usual["x2"])
    assert float(off["x2"]) - zero == pytest.approx(zero - float(usual["x1"]), abs=0.2)
    assert "a&lt;b" in svg


def test_nothing_to_draw_is_a_drawing_all_the_same() -> None:
    assert ET.fromstring(reliability_svg([], [], [])).tag == "svg"
    assert ET.fromstring(intervals_svg([], below="a", above="b", label="c")).tag == "svg"

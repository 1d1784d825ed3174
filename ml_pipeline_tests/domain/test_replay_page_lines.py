import math
import re
from datetime import date

from ml_pipeline.domain.replay_page_axis import NightAxis
from ml_pipeline.domain.replay_page_lines import Line, panel, path

AXIS = NightAxis(date(2013, 3, 1), date(2013, 3, 4))


def test_a_line_goes_through_the_middle_of_each_night_and_breaks_where_nothing_is_known() -> None:
    assert path((1.0, 2.0, math.nan, 4.0), lambda value: 10 * value) == "M0.5 10.0h0L1.5 20.0M3.5 40.0h0"
    assert path((math.nan,), lambda value: value) == ""


def test_a_higher_number_stands_higher_and_inside_the_panel() -> None:
    drawn = panel(AXIS, [Line("c0", (0.1, 0.4, 0.2, 0.3))], height=100, label="x")
    (line,) = re.findall(r' d="([^"]+)"', drawn)
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", line)]
    assert heights[1] < heights[3] < heights[2] < heights[0]
    assert 0 < min(heights) < max(heights) < 100


def test_a_signed_panel_holds_zero_and_a_label_is_escaped() -> None:
    drawn = panel(AXIS, [Line("c0", (5.0, 6.0, 7.0, 8.0))], height=100, label="<b>", is_signed=True)
    assert 'class="zero"' in drawn
    assert "&lt;b&gt;" in drawn


def test_nothing_known_is_said() -> None:
    assert "No night has this number" in panel(AXIS, [Line("c0", (math.nan,) * 4)], height=100, label="x")

import re
from dataclasses import replace

import pytest

from ml_pipeline.domain.replay_page_year import year_section
from ml_pipeline.domain.replay_page_years import clean_years
from ml_pipeline_tests.domain.parsed_page import Parsed
from ml_pipeline_tests.domain.synthetic_replay import synthetic_report

REPORT = synthetic_report(100)


def drawn(report=REPORT) -> str:
    return year_section(report, clean_years(report), 1.0)


def test_the_running_total_ends_at_what_was_saved_in_all() -> None:
    panel = drawn().partition("28-night")[0]
    levels = [(float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")), float(y) + 4)
              for y, text in re.findall(r'<text class="soft level" x="0" y="([\d.]+)">([^<]+)<', panel)]  # fmt: skip
    (low, low_y), (high, high_y) = levels[0], levels[-1]
    for place, year in enumerate(REPORT.clean):
        found = re.findall(rf'<path class="line of k{place} c\d" [^>]*d="([^"]+)"', panel)
        if year.name == "never":
            assert found == []
            continue
        end = float(re.findall(r" (-?[\d.]+)(?:h0)?$", found[0])[0])
        saved = high + (end - high_y) * (low - high) / (low_y - high_y)
        assert saved == pytest.approx(year.saved["never"].value, abs=0.002 * (high - low))


def test_each_policy_has_a_line_in_each_panel_a_lane_and_a_button_and_the_baseline_is_grey() -> None:
    parsed = Parsed(drawn())
    kinds = [(one.get("class") or "").split() for _, one in parsed.tags]
    for place, year in enumerate(REPORT.clean):
        lines = sum("line" in kind and f"k{place}" in kind for kind in kinds)
        assert lines == (2 if year.name == "never" else 3)
        assert sum("lane" in kind and f"k{place}" in kind for kind in kinds) == 1
        assert f"pick-{place}" in parsed.ids
    assert sum(kind == ["line", "base"] for kind in kinds) == 3, "two panels and the legend"


def test_without_the_reference_no_saving_is_drawn() -> None:
    assert "Cost saved so far" not in drawn(replace(REPORT, reference="nobody"))


def test_the_read_out_begins_at_the_first_decision_of_the_policy_in_focus() -> None:
    (slider,) = [one for tag, one in Parsed(drawn()).tags if tag == "input" and one.get("type") == "range"]
    assert (slider["value"], slider["max"]) == ("20", "99")

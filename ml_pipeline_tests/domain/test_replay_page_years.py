from dataclasses import replace

from ml_pipeline.domain.replay_page_years import clean_years, disturbed_years, undisturbed
from ml_pipeline_tests.domain.synthetic_replay import synthetic_report

REPORT = synthetic_report(90)


def test_the_policy_in_focus_has_the_first_colour_wherever_it_stands() -> None:
    for clean in (REPORT.clean, REPORT.clean[::-1]):
        shown = clean_years(replace(REPORT, clean=clean))
        assert [each.year.name for each in shown] == [year.name for year in clean]
        assert {each.year.name: each.colour for each in shown}["drift"] == 0
        assert sorted(each.colour for each in shown) == [0, 1, 2, 3]


def test_a_disturbed_year_has_the_colour_of_its_policy_and_names_of_its_own() -> None:
    (shown,) = disturbed_years(REPORT)
    assert (shown.key, shown.colour) == ("x0", 0)
    assert shown.kind == clean_years(REPORT)[2].kind, "who chooses the policy sees both"
    assert shown.row_id(REPORT.first_night) == "n-x0-0"
    assert undisturbed(shown, REPORT) == REPORT.clean[2]
    assert undisturbed(shown, replace(REPORT, clean=())) is None

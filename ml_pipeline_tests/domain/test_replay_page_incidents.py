import re
from dataclasses import replace
from datetime import timedelta

from ml_pipeline.domain.replay_page_incidents import incidents_section
from ml_pipeline.domain.replay_page_years import disturbed_years
from ml_pipeline_tests.domain.parsed_page import Parsed
from ml_pipeline_tests.domain.synthetic_replay import night_at, synthetic_report

REPORT = synthetic_report()


def section(report=REPORT) -> str:
    return incidents_section(report, disturbed_years(report), 1.0)


def test_each_incident_tells_what_was_made_of_it() -> None:
    cards = [Parsed(card).text for card in re.findall(r"<article.*?</article>", section())]
    assert "noticed on the first night as bad data, by check of the source" in cards[0]
    assert "noticed after 3 nights as drift, by drift of the features" in cards[1]
    assert "noticed after 1 night as late data" in cards[2]
    assert "not noticed" in cards[3]
    verdicts = re.findall(r'class="verdict (\w+)"', section())
    assert verdicts == ["right", "wrong", "right", "wrong"]


def test_the_strip_shades_the_nights_of_the_incident_and_marks_the_night_it_was_noticed() -> None:
    card = re.findall(r"<article.*?</article>", section())[1]
    first, last = night_at(118) - timedelta(days=14), night_at(131) + timedelta(days=14)
    assert f"{first} to {last}" in card
    width = (last - first).days + 1
    assert f'class="incident" x="{100 * 14 / width:.2f}%" width="{100 * 14 / width:.2f}%"' in card
    assert f'class="noticed" x1="{100 * 17.5 / width:.3f}%"' in card
    assert 'class="noticed"' not in re.findall(r"<article.*?</article>", section())[3]


def test_a_strip_ends_where_the_year_ends() -> None:
    late = replace(REPORT.incidents[3], first=night_at(295), last=night_at(299))
    text = section(replace(REPORT, incidents=(late,)))
    assert f"{night_at(281)} to {night_at(299)}" in text


def test_without_a_disturbed_year_the_incidents_are_still_told() -> None:
    parsed = Parsed(section(replace(REPORT, disturbed=())))
    assert all(incident.words in parsed.text for incident in REPORT.incidents)

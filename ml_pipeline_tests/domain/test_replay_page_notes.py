from dataclasses import replace

from ml_pipeline.domain.replay_page_notes import notes
from ml_pipeline_tests.domain.parsed_page import Parsed
from ml_pipeline_tests.domain.synthetic_replay import synthetic_report

REPORT = synthetic_report(90)


def test_the_report_s_own_words_are_told() -> None:
    text = Parsed(notes(REPORT)).text
    for told in (REPORT.cost_words, *REPORT.notes, *(year.description for year in REPORT.clean)):
        assert told in text


def test_nothing_is_said_of_incidents_that_were_not_injected() -> None:
    assert "The incidents were made up" in notes(REPORT)
    assert "The incidents were made up" not in notes(replace(REPORT, incidents=()))


def test_every_number_of_the_table_has_its_definition() -> None:
    terms = Parsed(notes(REPORT)).text
    for term in (
        "Cost",
        "Saved",
        "Log loss",
        "Brier score",
        "ROC AUC",
        "Average precision",
        "Calibration error",
        "False alarm",
    ):
        assert term in terms

import math
from dataclasses import replace

import pytest

from ml_pipeline.domain.replay_page_comparison import comparison_table, false_alarm_rate, savings_plot
from ml_pipeline.domain.replay_page_years import clean_years
from ml_pipeline.domain.replay_report import Interval
from ml_pipeline_tests.domain.parsed_page import Parsed
from ml_pipeline_tests.domain.synthetic_replay import synthetic_report

REPORT = synthetic_report()


def table(report=REPORT) -> Parsed:
    return Parsed(comparison_table(report, clean_years(report)))


def numbers(cells: list[str]) -> list[float]:
    return [float(cell.replace(",", "").replace("\N{MINUS SIGN}", "-")) for cell in cells]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Cost in all", "cost"), ("Log loss", "log_loss"), ("Brier", "brier"), ("ROC AUC", "roc_auc"),
        ("Average precision", "average_precision"), ("Calibration error", "calibration_error"), ("Trainings", "trainings"),
        ("Recalibrations", "recalibrations"), ("Promotions", "promotions"), ("Alarms", "alarms"), ("Rows", "rows"),
    ],
)  # fmt: skip
def test_the_table_says_what_the_report_says(name, field) -> None:
    (row,) = table().rows_headed(name)
    digits = 0 if field == "cost" else 4
    assert numbers(row[1:5]) == [round(float(getattr(year, field)), digits) for year in REPORT.clean]


def test_cost_a_row_and_the_baseline_stand_beside() -> None:
    (row,) = table().rows_headed("Cost a row")
    years = REPORT.clean
    assert numbers(row[1:]) == [round(year.cost / year.rows, 4) for year in years] + [
        round(years[0].baseline_cost / years[0].rows, 4)
    ]


@pytest.mark.parametrize(("name", "other"), [("Saved against Never", "never"), ("Saved against Retrain monthly", "monthly"),
                                             ("Saved against the baseline", "baseline")])  # fmt: skip
def test_what_was_saved_stands_with_its_interval(name, other) -> None:
    (row,) = table().rows_headed(name)
    for year, cell in zip(REPORT.clean, row[1:5], strict=True):
        saved = year.saved.get(other)
        told = cell.replace(",", "").replace("\N{MINUS SIGN}", "-")
        if saved is None:
            assert told == "\N{EN DASH}"
        else:
            assert told == f"{saved.value:+.0f}{saved.low:+.0f} to {saved.high:+.0f}"


def test_the_rate_of_false_alarms_is_the_report_s_for_the_policy_in_focus() -> None:
    rates = {year.name: false_alarm_rate(REPORT, year) for year in REPORT.clean}
    assert rates["drift"] == REPORT.false_alarms_per_100_nights == pytest.approx(100 / 92)
    assert math.isnan(false_alarm_rate(REPORT, replace(REPORT.clean[0], nights=())))


def test_only_the_best_is_bold_and_equals_that_read_alike_are_bold_together() -> None:
    losses = iter((0.50001, 0.50002, 0.6, math.nan))
    years = tuple(replace(year, log_loss=next(losses)) for year in REPORT.clean)
    text = comparison_table(replace(REPORT, clean=years), clean_years(replace(REPORT, clean=years)))
    line = text[text.index("Log loss") : text.index("Brier")]
    assert line.count('class="best">0.5000<') == 2
    assert line.count('class="best"') == 2


def test_the_plot_of_savings_draws_what_it_says() -> None:
    saved = {"never": Interval(50.0, -100.0, 200.0, 0.95)}
    years = tuple(replace(year, saved=saved if year.name == "drift" else {}) for year in REPORT.clean)
    report = replace(REPORT, clean=years)
    text = savings_plot(report, clean_years(report))
    assert 'class="span" x="26.00%" width="72.00%"' in text
    assert 'cx="62.00%"' in text
    assert "the interval includes zero" in text
    assert savings_plot(synthetic_report(60, ("drift",)), ()) == ""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from ml_pipeline.contracts.project import DecisionContract, load_project
from ml_pipeline.domain.calibration_evidence import measure_calibration
from ml_pipeline.domain.cost_sensitivity import cost_sensitivity
from ml_pipeline.domain.document import document_markdown
from ml_pipeline.domain.document_html import document_html
from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.evaluation_intervals import evaluation_intervals
from ml_pipeline.domain.model_card import CardFacts, RefitNights, model_card
from ml_pipeline.domain.night_bootstrap import draw_nights
from ml_pipeline.domain.reliability import slice_column
from ml_pipeline.domain.split_report import split_markdown
from ml_pipeline_tests.domain.test_split_report import REPORT
from ml_pipeline_tests.processes import ROOT

GENERATOR = np.random.default_rng(6)
SAID = GENERATOR.random(480)
LABELS = (GENERATOR.random(480) < SAID).astype(float)
BASELINE = np.full(480, LABELS.mean())
DATES = np.datetime64("2024-04-20") + np.arange(480) % 12
SENSITIVITY = cost_sensitivity(DecisionContract(cost_false_alarm=1, cost_miss=2), LABELS, SAID)


def facts(dates: np.ndarray = DATES, gains: dict[str, float] | None = None) -> CardFacts:
    draws = draw_nights(dates, samples=50, seed=1)
    shelves = slice_column("shelf", [("toys", "books")[place % 2] for place in range(480)])
    calibration = measure_calibration(LABELS, SAID, draws, slices=[shelves], min_rows=100, seed=1)
    return CardFacts(
        load_project(ROOT / "ml_pipeline_tests" / "shop"), {"orders": ("What was ordered.", "at once")}, {"rates": 3, "plan": 2}, "abc123", REPORT,
        evaluate(LABELS, SAID), evaluate(LABELS, BASELINE), evaluation_intervals(LABELS, SAID, BASELINE, draws),
        calibration, calibration.points[:1], "sigmoid", {"sigmoid": 0.5, "isotonic": 0.6}, 1 / 3,
        gains or {f"feature_{number:02d}": float(number) for number in range(20)}, SENSITIVITY,
    )  # fmt: skip


@pytest.fixture(scope="module")
def card() -> str:
    return document_markdown(model_card(facts()))


def test_the_card_says_what_the_model_is_and_who_owns_it(card: str) -> None:
    for words in ("# Returned orders of a shop: model of the night 2024-05-05", "team:shop", "`is_returned`", "`abc123`",
                  "sigmoid", "threshold 0.3333", "a miss costs 2, a false alarm 1", "20:00 Europe/Berlin",
                  "| orders | What was ordered. | at once |", "5 features of these models: rates (3), plan (2)"):  # fmt: skip
        assert words in card


def test_the_card_of_a_refit_says_that_the_numbers_are_those_of_its_recipe(card: str) -> None:
    refit = replace(facts(), refit=RefitNights("2024-05-05-abc", date(2024, 2, 18), date(2024, 5, 1)))
    said = document_markdown(model_card(refit))
    assert "the recipe of `2024-05-05-abc`, grown once more on all matured nights, 2024-02-18 to 2024-05-01" in said
    assert "It has no test block of its own" in said
    paragraph = next(part for part in said.split("\n\n") if part.startswith("A refit:"))
    assert said.replace(f"{paragraph}\n\n", "") == card


def test_the_card_names_the_nights_and_the_rows_of_each_block(card: str) -> None:
    assert "| train | 2024-02-18 | 2024-03-16 | 1,234 |" in card
    assert "| test | 2024-04-20 | 2024-05-01 | 480 |" in card
    assert "parted by 4 unused nights" in card
    assert split_markdown(REPORT) in card.split("## Nights")[1].split("## Test block", maxsplit=1)[0]


def test_the_card_sets_the_model_beside_the_baseline_with_intervals(card: str) -> None:
    said = facts()
    mine, theirs, gain = (said.intervals.model["brier"], said.intervals.baseline["brier"], said.intervals.gain["brier"])
    row = (
        f"| Brier score | {said.model.brier:.4f} ({mine.low:.4f} to {mine.high:.4f}) | {said.baseline.brier:.4f} "
        f"({theirs.low:.4f} to {theirs.high:.4f}) | {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) |"
    )
    assert row in card
    assert (
        f"| calibration error | {said.model.calibration_error:.4f} | {said.baseline.calibration_error:.4f} |  |" in card
    )
    assert "The baseline is `baseline_return_rate`" in card


def test_the_card_names_its_limits_in_numbers(card: str) -> None:
    limits = card.split("## Intended use and limits")[1].split("## Data", maxsplit=1)[0]
    for words in ("nor for decisions about people", "28 nights (2024-02-18 to 2024-03-16)", "40.4% of the training rows",
                  "12 test nights", "somewhat too narrow"):  # fmt: skip
        assert words in limits


def test_the_card_names_the_fifteen_leading_features_by_share_of_gain(card: str) -> None:
    table = card.split("| feature | share |")[1].split("##", maxsplit=1)[0]
    rows = [line for line in table.splitlines() if line.startswith("| feature_")]
    assert rows[0] == "| feature_19 | 10.0% |"
    assert len(rows) == 15
    assert rows == sorted(rows, reverse=True)


def test_a_model_without_a_split_and_a_single_test_night_still_has_a_card() -> None:
    said = facts(np.full(480, DATES[0]), gains={"only": 0.0})
    card = document_markdown(model_card(said))
    assert "| only | 0.0% |" in card
    assert "(no interval)" in card
    assert "nan" not in document_html(model_card(said))

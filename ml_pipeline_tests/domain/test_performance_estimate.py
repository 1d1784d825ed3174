import math
from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.performance import EstimateContract
from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.decision import mean_cost_of_acts
from ml_pipeline.domain.evaluation import evaluate, row_log_loss
from ml_pipeline.domain.performance_estimate import GradedNight, estimate_performance, grade_estimates
from ml_pipeline.nights import nights_back

COSTS = DecisionContract(cost_false_alarm=1.0, cost_miss=3.0)
FIRST = date(2024, 5, 1)
RULES = EstimateContract(graded_nights=7, max_error=0.05)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.4, 0.4, 0.75, 1.0]), min_size=1, max_size=7), st.integers(0, 127))
def test_it_is_the_expectation_over_every_possible_outcome(drawn: list[float], mask: int) -> None:
    """The oracle walks through all outcomes, each with its probability, and measures them with the house's metrics."""
    probabilities = np.array(drawn)
    acts = np.array([bool(mask >> place & 1) for place in range(len(drawn))])
    expected = dict.fromkeys(("log_loss", "square", "brier", "cost", "pairs", "concordant"), 0.0)
    for outcome in product([0.0, 1.0], repeat=len(drawn)):
        labels = np.array(outcome)
        chance = float(np.prod(np.where(labels == 1, probabilities, 1 - probabilities)))
        loss = float(row_log_loss(labels, probabilities).mean())
        pairs = float(labels.sum() * (1 - labels).sum())
        auc = evaluate(labels, probabilities).roc_auc if pairs else 0.0
        found = (
            loss,
            loss**2,
            float(np.mean((probabilities - labels) ** 2)),
            mean_cost_of_acts(COSTS, labels, acts),
            pairs,
            pairs * auc,
        )
        for name, value in zip(expected, found, strict=True):
            expected[name] += chance * value
    estimate = estimate_performance(probabilities, acts, COSTS)
    assert estimate.log_loss == pytest.approx(expected["log_loss"], abs=1e-9)
    assert estimate.brier == pytest.approx(expected["brier"], abs=1e-9)
    assert estimate.mean_cost == pytest.approx(expected["cost"], abs=1e-9)
    variance = max(expected["square"] - expected["log_loss"] ** 2, 0.0)
    assert estimate.log_loss_deviation**2 == pytest.approx(variance, abs=1e-6)
    if expected["pairs"] > 1e-9:
        assert estimate.roc_auc == pytest.approx(expected["concordant"] / expected["pairs"], abs=1e-9)
    else:
        assert math.isnan(estimate.roc_auc)


def test_no_rows_give_no_numbers_and_what_is_no_probability_is_refused() -> None:
    empty = estimate_performance(np.array([]), np.array([], dtype=bool), COSTS)
    assert empty.rows == 0 and math.isnan(empty.log_loss) and math.isnan(empty.roc_auc)
    with pytest.raises(ValueError, match=r"not a number in \[0, 1\]"):
        estimate_performance(np.array([0.2, math.nan]), np.array([True, False]), COSTS)


def drawn_nights(count: int, *, flipped_from: int, shifted_from: int = 10**6) -> list[GradedNight]:
    """Nights of 400 rows whose labels are drawn from the probabilities, from ``flipped_from`` on from one minus them.

    From ``shifted_from`` on the features, so the probabilities, are others: a shift without a change of concept.
    """
    draw = np.random.default_rng(7)
    graded = []
    for place in range(count):
        probabilities = draw.beta(1, 8, 400) if place >= shifted_from else draw.beta(2, 5, 400)
        truth = 1 - probabilities if place >= flipped_from else probabilities
        labels = (draw.random(400) < truth).astype(float)
        expected = estimate_performance(probabilities, probabilities > 0.25, COSTS).log_loss
        realised = float(row_log_loss(labels, probabilities).mean())
        graded.append(GradedNight(nights_back(FIRST, -place), 400, expected, realised))
    return graded


def test_estimates_are_switched_off_under_concept_drift_and_not_under_a_shift_of_the_features() -> None:
    calm = drawn_nights(40, flipped_from=10**6, shifted_from=20)
    assert all(grade_estimates(RULES, calm[:last]).is_trusted for last in range(7, 41))
    flipped = drawn_nights(40, flipped_from=20)
    trusted = [grade_estimates(RULES, flipped[:last]).is_trusted for last in range(7, 41)]
    assert all(trusted[: 20 - 6])
    assert not any(trusted[20 - 6 + 1 :])
    off = grade_estimates(RULES, flipped)
    assert off.reasons[0] == "estimates are switched off for decisions"
    # The flip costs sum((1 - 2p) * log((1 - p) / p)) a row on average, far beyond the limit, and always upward.
    assert off.error > RULES.max_error


def test_they_come_back_when_they_are_right_again() -> None:
    again = [*drawn_nights(20, flipped_from=10), *drawn_nights(7, flipped_from=10**6)]
    assert not grade_estimates(RULES, again[:20]).is_trusted
    assert grade_estimates(RULES, again).is_trusted


@pytest.mark.parametrize(
    "nights", [[], drawn_nights(6, flipped_from=10**6), [GradedNight(FIRST, 0, math.nan, math.nan)] * 9]
)
def test_what_was_never_graded_is_not_trusted(nights: list[GradedNight]) -> None:
    grade = grade_estimates(RULES, nights)
    assert not grade.is_trusted
    assert math.isnan(grade.error) and "of 7 nights are graded" in grade.reasons[0]

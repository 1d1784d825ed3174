import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.cost_sensitivity import cost_sensitivity, sensitivity_markdown
from ml_pipeline.domain.decision import mean_cost

CONTRACT = DecisionContract(cost_false_alarm=1.0, cost_miss=3.0)
ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.05, 0.2, 0.25, 0.5, 0.8])), min_size=1, max_size=30
)


def split(rows: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in rows]), np.array([probability for _, probability in rows])


def calibrated(rows: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    probabilities = generator.beta(1.5, 4, rows)
    return (generator.random(rows) < probabilities).astype(float), probabilities


def least(ratio: float, labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The cost of the best threshold, by trying every one that makes a difference."""
    costs = DecisionContract(cost_false_alarm=1.0, cost_miss=ratio)
    tried = [0.0, *np.unique(probabilities), 1.1]
    return min(mean_cost(costs, labels, probabilities, np.full(len(labels), threshold)) for threshold in tried)


@given(ROWS, st.floats(0.05, 50))
def test_the_least_cost_and_the_regret_are_those_of_trying_every_threshold(
    rows: list[tuple[float, float]], ratio: float
) -> None:
    labels, probabilities = split(rows)
    found = cost_sensitivity(CONTRACT, labels, probabilities, ratios=[ratio])
    entry = next(entry for entry in found.table if entry.cost_ratio == ratio)
    costs = DecisionContract(cost_false_alarm=1.0, cost_miss=ratio)
    kept = mean_cost(costs, labels, probabilities, np.full(len(labels), 0.25))
    assert entry.least_cost == pytest.approx(least(ratio, labels, probabilities), abs=1e-9)
    assert entry.cost_kept == pytest.approx(kept)
    assert entry.cost == pytest.approx(mean_cost(costs, labels, probabilities, np.full(len(labels), 1 / (1 + ratio))))
    assert entry.regret == pytest.approx(kept - entry.least_cost, abs=1e-9)
    assert entry.regret >= 0


@given(ROWS, st.floats(0.05, 50), st.sampled_from([0.0, 0.05, 0.5]))
def test_a_ratio_lies_in_the_range_exactly_if_the_present_threshold_is_good_enough_there(
    rows: list[tuple[float, float]], ratio: float, tolerance: float
) -> None:
    labels, probabilities = split(rows)
    found = cost_sensitivity(CONTRACT, labels, probabilities, ratios=[ratio], tolerance=tolerance)
    entry = next(entry for entry in found.table if entry.cost_ratio == ratio)
    slack = (1 + tolerance) * entry.least_cost - entry.cost_kept
    if abs(slack) > 1e-9:
        is_within = found.first_ratio is not None and found.first_ratio <= ratio <= (found.last_ratio or np.inf)
        assert is_within == (slack > 0)


def test_calibrated_rows_bear_the_threshold_around_the_present_ratio() -> None:
    found = cost_sensitivity(CONTRACT, *calibrated())
    assert found.threshold == 0.25
    assert found.first_ratio is not None
    assert found.last_ratio is not None
    assert 1 < found.first_ratio < 3 < found.last_ratio < 8
    assert next(entry.regret for entry in found.table if entry.cost_ratio == 3.0) < 0.005
    narrower = cost_sensitivity(CONTRACT, *calibrated(), tolerance=0.02)
    assert found.first_ratio < (narrower.first_ratio or 0) < (narrower.last_ratio or 0) < found.last_ratio


def test_the_present_ratio_stands_in_the_table_once_and_in_order() -> None:
    rows = calibrated(100)
    odd = DecisionContract(cost_false_alarm=2.0, cost_miss=5.0)
    for contract, ratio in ((CONTRACT, 3.0), (odd, 2.5)):
        ratios = [entry.cost_ratio for entry in cost_sensitivity(contract, *rows).table]
        assert ratios == sorted(set(ratios))
        assert ratio in ratios


def test_probabilities_that_say_the_opposite_bear_the_threshold_nowhere() -> None:
    labels = np.array([1.0] * 5 + [0.0] * 5)
    found = cost_sensitivity(CONTRACT, labels, 1 - labels)
    assert (found.first_ratio, found.last_ratio) == (None, None)
    assert "At no cost ratio it stays within 5%" in sensitivity_markdown(found)


def test_perfect_probabilities_bear_it_everywhere() -> None:
    labels = np.array([1.0, 0.0])
    found = cost_sensitivity(CONTRACT, labels, labels)
    assert (found.first_ratio, found.last_ratio) == (0.0, None)
    assert "from a cost ratio of 0.00 on" in sensitivity_markdown(found)


def test_the_report_says_which_mode_decides() -> None:
    rows = calibrated(200)
    by_threshold = cost_sensitivity(CONTRACT, *rows)
    by_capacity = cost_sensitivity(CONTRACT.model_copy(update={"capacity_per_night": 40}), *rows)
    assert (by_threshold.as_json()["mode"], by_threshold.as_json()["tie_rule"]) == ("threshold", None)
    assert by_capacity.as_json()["mode"] == "capacity"
    assert by_capacity.as_json()["capacity_per_night"] == 40
    assert "then the entity key" in by_capacity.as_json()["tie_rule"]
    assert sensitivity_markdown(by_threshold).startswith("The threshold 0.2500 decides.")
    assert sensitivity_markdown(by_capacity).startswith("The capacity decides: 40 rows a night")
    assert "| 3 (now) | 0.2500 |" in sensitivity_markdown(by_threshold)
    assert json.loads(json.dumps(by_capacity.as_json(), allow_nan=False)) == by_capacity.as_json()


@pytest.mark.parametrize(
    ("ratios", "tolerance", "rows"), [([0.0], 0.05, 5), ([1.0], -0.1, 5), ([], 0.05, 5), ([1.0], 0.05, 0)]
)
def test_what_cannot_be_measured_is_refused(ratios: list[float], tolerance: float, rows: int) -> None:
    with pytest.raises(ValueError, match="cost sensitivity needs rows"):
        cost_sensitivity(CONTRACT, np.zeros(rows), np.zeros(rows), ratios=ratios, tolerance=tolerance)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.decision import cost_threshold, mean_cost

COSTS = st.builds(DecisionContract, cost_false_alarm=st.floats(0.1, 100), cost_miss=st.floats(0.1, 100))


@given(COSTS, st.floats(0, 1))
def test_acting_is_cheaper_exactly_from_the_threshold_on(costs: DecisionContract, probability: float) -> None:
    acting, waiting = (1 - probability) * costs.cost_false_alarm, probability * costs.cost_miss
    threshold = cost_threshold(costs)
    if abs(probability - threshold) > 1e-9:
        assert (acting < waiting) == (probability > threshold)
    assert 0 < threshold < 1


@given(COSTS, st.integers(0, 2**32 - 1))
def test_no_other_threshold_is_cheaper_on_calibrated_rows(costs: DecisionContract, seed: int) -> None:
    """The expected cost over true probabilities is least at the threshold that the costs imply."""
    probabilities = np.random.default_rng(seed).random(400)
    # A row of probability p stands for p rows that happened and 1 - p that did not.
    happened, calm = np.ones(400), np.zeros(400)

    def expected(threshold: float) -> float:
        level = np.full(400, threshold)
        by_row = [
            p * mean_cost(costs, happened[:1], np.array([p]), level[:1]) + (1 - p) * mean_cost(costs, calm[:1], np.array([p]), level[:1])
            for p in probabilities[:50]
        ]  # fmt: skip
        return float(np.mean(by_row))

    best = expected(cost_threshold(costs))
    assert all(best <= expected(other) + 1e-12 for other in (0.05, 0.3, 0.5, 0.7, 0.95))


def test_each_mistake_costs_what_the_contract_says() -> None:
    costs = DecisionContract(cost_false_alarm=1.0, cost_miss=3.0)
    labels, thresholds = np.array([0.0, 0.0, 1.0, 1.0]), np.full(4, 0.25)
    assert cost_threshold(costs) == 0.25
    assert mean_cost(costs, labels, np.array([0.1, 0.9, 0.1, 0.9]), thresholds) == pytest.approx((1 + 3) / 4)
    assert mean_cost(costs, labels, np.array([0.25, 0.0, 0.25, 0.25]), thresholds) == pytest.approx(1 / 4)


def test_every_row_has_its_own_threshold() -> None:
    costs = DecisionContract(cost_false_alarm=1.0, cost_miss=3.0)
    rows = np.array([0.5, 0.5])
    assert mean_cost(costs, np.array([0.0, 0.0]), rows, np.array([0.4, 0.6])) == pytest.approx(0.5)


def test_no_rows_cost_nothing_that_can_be_said() -> None:
    empty = np.array([])
    assert np.isnan(mean_cost(DecisionContract(cost_false_alarm=1, cost_miss=1), empty, empty, empty))


@pytest.mark.parametrize("cost", [0.0, -1.0])
def test_a_mistake_that_costs_nothing_is_refused(cost: float) -> None:
    with pytest.raises(ValueError):
        DecisionContract(cost_false_alarm=cost, cost_miss=1.0)

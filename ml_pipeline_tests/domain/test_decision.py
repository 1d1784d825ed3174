import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.decision import (
    Decisions,
    cost_threshold,
    decide_rows,
    decision_mode,
    mean_cost,
    mean_cost_of_acts,
)

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


LEVELS = st.sampled_from([0.2, 0.5, 0.9])
NIGHT_ROWS = st.lists(st.tuples(st.integers(0, 2), LEVELS, LEVELS, st.integers(0, 99)), max_size=30,
                      unique_by=lambda row: (row[0], row[3]))  # fmt: skip


def decided(rows: list[tuple[int, float, float, int]], capacity: int | None) -> Decisions:
    """Rows are (night, probability, score, key)."""
    contract = DecisionContract(cost_false_alarm=1.0, cost_miss=1.0, capacity_per_night=capacity)
    nights = np.array([np.datetime64("2024-03-01") + row[0] for row in rows], dtype="datetime64[D]")
    keys = pa.table(
        {"score_date": pa.array(nights, pa.date32()), "order_id": pa.array([row[3] for row in rows], pa.int64())}
    )
    probability, score = (np.array([row[place] for row in rows], dtype=float) for place in (1, 2))
    return decide_rows(contract, 0.5, keys, probability=probability, score=score)


@given(NIGHT_ROWS, st.integers(1, 12))
def test_the_capacity_takes_the_first_rows_of_each_night_by_the_declared_rule(
    rows: list[tuple[int, float, float, int]], capacity: int
) -> None:
    found = decided(rows, capacity)
    expected = set()
    for night in range(3):
        mine = sorted((-row[1], -row[2], row[3]) for row in rows if row[0] == night)
        expected |= {(night, key) for _, _, key in mine[:capacity]}
    assert {(row[0], row[3]) for row, acts in zip(rows, found.acts, strict=True) if acts} == expected
    assert found.mode == "capacity"


@given(NIGHT_ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_decides_nothing(rows: list[tuple[int, float, float, int]], random) -> None:
    mixed = list(rows)
    random.shuffle(mixed)
    for capacity in (None, 3):
        by_row = dict(zip(rows, decided(rows, capacity).acts.tolist(), strict=True))
        assert dict(zip(mixed, decided(mixed, capacity).acts.tolist(), strict=True)) == by_row


def test_equal_probabilities_are_parted_by_score_and_then_by_key() -> None:
    rows = [(0, 0.5, 0.2, 1), (0, 0.5, 0.9, 8), (0, 0.5, 0.9, 3), (0, 0.2, 0.9, 0)]
    assert decided(rows, 1).acts.tolist() == [False, False, True, False]
    assert decided(rows, 2).acts.tolist() == [False, True, True, False]
    assert decided(rows, 3).acts.tolist() == [True, True, True, False]


def test_without_a_capacity_the_threshold_decides_and_the_answer_says_so() -> None:
    found = decided([(0, 0.2, 0.1, 1), (0, 0.5, 0.1, 2), (0, 0.9, 0.1, 3)], None)
    assert (found.acts.tolist(), found.mode) == ([False, True, True], "threshold")
    assert found.reason == "probability of at least 0.5000"
    assert decided([(0, 0.2, 0.1, 1)], 7).reason.startswith("first 7 rows of the night by probability")


def test_a_row_without_a_probability_is_never_acted_on() -> None:
    for capacity in (None, 5):
        assert decided([(0, np.nan, 0.1, 1), (0, 0.9, 0.1, 2)], capacity).acts.tolist() == [False, True]


def test_a_key_that_stands_twice_is_refused() -> None:
    twice = [(0, 0.5, 0.1, 1), (0, 0.5, 0.1, 1)]
    with pytest.raises(ValueError, match=r"1 of 2 rows repeat a key \(order_id\)"):
        decided(twice, 1)
    assert decided(twice, None).acts.tolist() == [True, True]


def test_the_mode_follows_from_the_contract_alone() -> None:
    costs = DecisionContract(cost_false_alarm=1.0, cost_miss=3.0)
    assert decision_mode(costs) == "threshold"
    assert decision_mode(costs.model_copy(update={"capacity_per_night": 5})) == "capacity"


def test_decisions_of_any_kind_have_a_cost() -> None:
    costs = DecisionContract(cost_false_alarm=1.0, cost_miss=3.0)
    labels = np.array([0.0, 0.0, 1.0, 1.0])
    assert mean_cost_of_acts(costs, labels, np.array([True, False, False, True])) == pytest.approx((1 + 3) / 4)
    assert np.isnan(mean_cost_of_acts(costs, labels[:0], np.array([], dtype=bool)))

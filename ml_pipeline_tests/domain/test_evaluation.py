import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from ml_pipeline.domain.evaluation import (
    calibration_error,
    equal_mass_bins,
    evaluate,
    reliability,
    row_log_loss,
)

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def random_rows(seed: int, ties: bool) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    rows = int(generator.integers(2, 400))
    labels = (generator.random(rows) < generator.uniform(0.1, 0.9)).astype(float)
    labels[:2] = (0.0, 1.0)
    probabilities = generator.random(rows) ** generator.uniform(0.2, 3)
    return labels, np.round(probabilities, 1) if ties else probabilities


def plain_bins(labels: Floats, probabilities: Floats, bins: int) -> list[list[tuple[float, float]]]:
    """Lines that know nothing of the code under test: sort, cut into equal parts, give equal ones to the later part."""
    pairs = sorted(zip(probabilities.tolist(), labels.tolist(), strict=True))
    count, start = min(bins, len(pairs)), 0
    first_of_part = []
    for number in range(count):
        first_of_part.append(pairs[start][0])
        start += len(pairs) // count + (1 if number < len(pairs) % count else 0)
    parts: list[list[tuple[float, float]]] = [[] for _ in range(count)]
    for pair in pairs:
        parts[max([0, *(number for number in range(1, count) if pair[0] >= first_of_part[number])])].append(pair)
    return [part for part in parts if part]


def plain_calibration_error(labels: Floats, probabilities: Floats, bins: int) -> float:
    return sum(
        abs(sum(said for said, _ in part) - sum(seen for _, seen in part))
        for part in plain_bins(labels, probabilities, bins)
    ) / len(labels)


@given(SEEDS, st.booleans())
def test_metrics_equal_those_of_sklearn(seed: int, ties: bool) -> None:
    labels, probabilities = random_rows(seed, ties)
    found = evaluate(labels, probabilities)
    assert found.rows == len(labels)
    assert found.roc_auc == pytest.approx(oracle.roc_auc_score(labels, probabilities), abs=1e-12)
    assert found.average_precision == pytest.approx(oracle.average_precision_score(labels, probabilities), abs=1e-12)
    assert found.brier == pytest.approx(oracle.brier_score_loss(labels, probabilities), abs=1e-12)
    inside = np.clip(probabilities, 1e-6, 1 - 1e-6)
    assert found.log_loss == pytest.approx(oracle.log_loss(labels, inside), abs=1e-10)
    assert found.positive_share == pytest.approx(labels.mean())
    assert found.mean_probability == pytest.approx(probabilities.mean())


@given(SEEDS, st.booleans(), st.integers(1, 30))
def test_the_calibration_error_equals_ten_plain_lines(seed: int, ties: bool, bins: int) -> None:
    labels, probabilities = random_rows(seed, ties)
    expected = plain_calibration_error(labels, probabilities, bins)
    assert calibration_error(labels, probabilities, bins) == pytest.approx(expected, abs=1e-12)


@given(SEEDS, st.booleans(), st.integers(1, 30))
def test_no_order_of_the_rows_changes_a_bin(seed: int, ties: bool, bins: int) -> None:
    labels, probabilities = random_rows(seed, ties)
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = reliability(labels[order], probabilities[order], bins)
    assert np.allclose(shuffled, reliability(labels, probabilities, bins), atol=1e-12)
    assert np.array_equal(equal_mass_bins(probabilities[order], bins), equal_mass_bins(probabilities, bins)[order])


@given(SEEDS, st.booleans(), st.integers(1, 30))
def test_the_bins_of_a_reliability_curve_are_equal_in_mass_and_hold_every_row(seed: int, ties: bool, bins: int) -> None:
    labels, probabilities = random_rows(seed, ties)
    points = reliability(labels, probabilities, bins)
    sizes = [rows for _, _, rows in points]
    assert sum(sizes) == len(labels)
    assert len(set(np.round(probabilities, 12))) < len(labels) or max(sizes) - min(sizes) <= 1
    means = [mean for mean, _, _ in points]
    assert all(earlier <= later + 1e-12 for earlier, later in zip(means, means[1:], strict=False))
    assert sum(share * rows for _, share, rows in points) == pytest.approx(labels.sum())


@given(SEEDS, st.booleans())
def test_a_monotone_map_changes_no_ranking_metric(seed: int, ties: bool) -> None:
    labels, probabilities = random_rows(seed, ties)
    before, after = evaluate(labels, probabilities), evaluate(labels, probabilities / 2)
    assert (after.roc_auc, after.average_precision) == (before.roc_auc, before.average_precision)


@pytest.mark.parametrize("probability", [float("nan"), float("inf"), -1e-9, 1 + 1e-9])
def test_what_is_no_probability_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match=r"not a number in \[0, 1\]"):
        evaluate(np.array([0.0, 1.0]), np.array([0.5, probability]))


def test_certainty_that_is_wrong_costs_much_but_not_infinity() -> None:
    losses = row_log_loss(np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    assert losses[:2] == pytest.approx(-np.log(1e-6), rel=1e-6)
    assert 0 <= losses[2] < 1e-5


def test_rows_that_cannot_say_answer_nan_and_not_a_flattering_number() -> None:
    none = evaluate(np.array([]), np.array([]))
    assert none.rows == 0
    assert all(np.isnan(value) for name, value in none.as_dict().items() if name != "rows")
    one_class = evaluate(np.zeros(5), np.full(5, 0.2))
    assert np.isnan(one_class.roc_auc)
    assert np.isnan(one_class.average_precision)
    assert one_class.log_loss == pytest.approx(-np.log(0.8))
    assert np.isnan(evaluate(np.ones(5), np.full(5, 0.2)).roc_auc)

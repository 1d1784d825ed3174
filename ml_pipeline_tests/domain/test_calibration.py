import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_pipeline.domain.calibration import Calibrator, calibrator_from_json, fit_calibrator
from ml_pipeline.domain.evaluation import calibration_error, row_log_loss

DAYS = np.datetime64("2024-03-01") + np.arange(12)


def block(seed: int, *, steepness: float = 3.0, rows: int = 1200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores that are too sure of themselves (or, with a negative steepness, plainly wrong), labels, nights."""
    generator = np.random.default_rng(seed)
    logit = generator.normal(-0.5, 1.0, rows)
    labels = (generator.random(rows) < 1 / (1 + np.exp(-logit))).astype(float)
    scores = 1 / (1 + np.exp(-steepness * logit))
    return np.clip(scores, 1e-6, 1 - 1e-6), labels, np.sort(generator.choice(DAYS, rows))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_a_fitted_map_is_better_than_the_scores_on_rows_it_has_not_seen(seed: int) -> None:
    scores, labels, nights = block(seed)
    calibrator = fit_calibrator(scores, labels, nights)
    later, truth, _ = block(seed + 1, rows=4000)
    mapped = calibrator.probability(later)
    assert row_log_loss(truth, mapped).mean() < row_log_loss(truth, later).mean()
    assert calibration_error(truth, mapped) < calibration_error(truth, later)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["sigmoid", "isotonic"]))
@settings(max_examples=20)
def test_the_map_is_monotone_and_never_certain(seed: int, kind: str) -> None:
    scores, labels, nights = block(seed)
    fitted = fit_calibrator(scores, labels, nights)
    knots = (
        Calibrator("sigmoid", (0.7, -0.2), (), {}) if kind == "sigmoid"
        else Calibrator("isotonic", (0.2, 0.5, 0.9), (0.0, 0.4, 1.0), {})
    )  # fmt: skip
    for calibrator in (fitted, knots):
        mapped = calibrator.probability(np.linspace(0, 1, 501))
        assert np.all(np.diff(mapped) >= 0)
        assert mapped.min() >= 0.001
        assert mapped.max() <= 0.999


def test_the_kind_with_the_smaller_held_out_loss_is_kept() -> None:
    fitted = fit_calibrator(*block(3))
    assert set(fitted.log_loss_by_kind) == {"sigmoid", "isotonic"}
    assert fitted.kind == min(fitted.log_loss_by_kind, key=fitted.log_loss_by_kind.__getitem__)


def test_a_staircase_is_learned_by_the_freer_map() -> None:
    generator = np.random.default_rng(4)
    scores = generator.random(6000)
    labels = (generator.random(6000) < np.where(scores < 0.5, 0.1, 0.6)).astype(float)
    fitted = fit_calibrator(scores, labels, np.sort(generator.choice(DAYS, 6000)))
    assert fitted.kind == "isotonic"
    assert fitted.probability(np.array([0.3, 0.7])) == pytest.approx([0.1, 0.6], abs=0.05)


def test_calibrating_does_not_reorder_and_is_repeatable() -> None:
    scores, labels, nights = block(5)
    copies = (scores.copy(), labels.copy(), nights.copy())
    first, second = fit_calibrator(scores, labels, nights), fit_calibrator(*copies)
    assert first == second
    assert all(np.array_equal(one, other) for one, other in zip((scores, labels, nights), copies, strict=True))


@pytest.mark.parametrize("steepness", [3.0, 1.0, 0.0, -1.0, -3.0])
def test_whatever_is_fitted_can_be_stored_and_loaded_again(steepness: float) -> None:
    """Scores that say nothing, or the opposite of the truth, must not end in a bundle that nobody can load."""
    fitted = fit_calibrator(*block(6, steepness=steepness))
    assert calibrator_from_json(json.loads(json.dumps(fitted.as_json()))) == fitted


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_stored_numbers_give_the_same_probabilities_to_the_last_bit(seed: int) -> None:
    fitted = fit_calibrator(*block(seed))
    stored = calibrator_from_json(json.loads(json.dumps(fitted.as_json())))
    scores = np.random.default_rng(seed).random(200)
    assert np.array_equal(fitted.probability(scores), stored.probability(scores))


GOOD = {"kind": "isotonic", "inputs": [0.1, 0.9], "outputs": [0.2, 0.8], "log_loss_by_kind": {}}


@pytest.mark.parametrize(
    "damage",
    [
        {"inputs": [0.9, 0.1]}, {"inputs": [0.1, 0.1]}, {"outputs": [0.8, 0.2]}, {"outputs": [0.2, 1.2]},
        {"outputs": [-0.2, 0.8]}, {"outputs": [0.2]}, {"inputs": [], "outputs": []}, {"inputs": [0.1, float("nan")]},
        {"outputs": [0.2, float("inf")]}, {"kind": "pickle"}, {"kind": "sigmoid"},
        {"kind": "sigmoid", "inputs": [-1.0, 0.0], "outputs": []},
        {"kind": "sigmoid", "inputs": [0.0, 0.0], "outputs": []}, {"kind": "sigmoid", "inputs": [1.0], "outputs": []},
    ],
)  # fmt: skip
def test_a_map_that_is_no_monotone_map_is_refused(damage: dict[str, Any]) -> None:
    assert calibrator_from_json(GOOD).kind == "isotonic"
    with pytest.raises(ValueError, match=r"calibrator\.json"):
        calibrator_from_json(GOOD | damage)


def test_one_night_of_labels_is_enough_to_fit_or_is_refused_in_words() -> None:
    """``calibrate_nights: 1`` is a contract that project.yml may state."""
    scores, labels, _ = block(7)
    try:
        fitted = fit_calibrator(scores, labels, np.full(len(scores), DAYS[0]))
    except ValueError as refusal:
        assert "night" in str(refusal)
    else:
        assert fitted.probability(scores).shape == scores.shape

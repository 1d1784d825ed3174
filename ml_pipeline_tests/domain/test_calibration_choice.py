import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ml_pipeline.domain.calibration import calibrator_from_json
from ml_pipeline.domain.calibration_choice import fit_calibrator, fit_kind
from ml_pipeline.domain.evaluation import calibration_error, row_log_loss

KINDS = ("identity", "intercept", "temperature", "sigmoid", "beta", "isotonic")
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


def test_every_kind_is_judged_on_later_nights_and_the_choice_is_told() -> None:
    fitted = fit_calibrator(*block(3))
    assert tuple(fitted.log_loss_by_kind) == KINDS
    best = min(fitted.log_loss_by_kind, key=fitted.log_loss_by_kind.__getitem__)
    assert KINDS.index(fitted.kind) <= KINDS.index(best)
    assert fitted.reasons[0].startswith(best)
    assert (len(fitted.reasons) == 2) == (fitted.kind != best)


def test_scores_that_are_stretched_and_nothing_else_are_calibrated_by_their_temperature() -> None:
    fitted = fit_calibrator(*block(3, rows=6000))
    assert fitted.kind == "temperature"
    assert fitted.inputs[0] == pytest.approx(1 / 3, abs=0.03)


def test_a_moved_base_rate_is_calibrated_by_its_intercept() -> None:
    scores, _, nights = block(8, steepness=1.0, rows=6000)
    logit = np.log(scores / (1 - scores)) - 0.8
    labels = (np.random.default_rng(8).random(6000) < 1 / (1 + np.exp(-logit))).astype(float)
    fitted = fit_calibrator(scores, labels, nights)
    assert fitted.kind == "intercept"
    assert fitted.inputs[0] == pytest.approx(-0.8, abs=0.1)
    assert fitted.probability(scores).mean() == pytest.approx(labels.mean(), abs=1e-9)


def test_later_nights_judge_what_earlier_ones_taught() -> None:
    """The number beside a kind is its loss on each stretch by a map of the stretches before, worked out by hand."""
    scores, labels, nights = block(9)
    found = fit_calibrator(scores, labels, nights).log_loss_by_kind["sigmoid"]
    stretches, losses = np.array_split(np.unique(nights), 5), []
    for stretch in stretches[1:]:
        past, now = nights < stretch[0], np.isin(nights, stretch)
        losses.append(
            row_log_loss(labels[now], fit_kind("sigmoid", scores[past], labels[past]).probability(scores[now]))
        )
    assert found == pytest.approx(np.concatenate(losses).mean(), abs=1e-12)


@pytest.mark.parametrize("kind", KINDS[1:5])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fitted_map_has_the_least_loss_of_its_kind(kind: str, seed: int) -> None:
    """Against a general optimiser that knows the formulas alone."""
    scores, labels, _ = block(seed, steepness=1.3)
    event, none = np.log(scores), -np.log1p(-scores)
    terms = {
        "intercept": lambda free: event + none + free[0], "temperature": lambda free: free[0] * (event + none),
        "sigmoid": lambda free: free[0] * (event + none) + free[1],
        "beta": lambda free: abs(free[0]) * event + abs(free[1]) * none + free[2],
    }[kind]  # fmt: skip
    count = {"intercept": 1, "temperature": 1, "sigmoid": 2, "beta": 3}[kind]
    least = minimize(
        lambda free: float(np.mean(np.logaddexp(0.0, terms(free)) - labels * terms(free))),
        np.full(count, 0.5), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000},
    ).fun  # fmt: skip
    said = fit_kind(kind, scores, labels).probability(scores)
    assert row_log_loss(labels, said).mean() == pytest.approx(least, abs=2e-5)


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


def test_one_night_of_labels_is_enough_to_fit_or_is_refused_in_words() -> None:
    """``calibrate_nights: 1`` is a contract that project.yml may state."""
    scores, labels, _ = block(7)
    try:
        fitted = fit_calibrator(scores, labels, np.full(len(scores), DAYS[0]))
    except ValueError as refusal:
        assert "night" in str(refusal)
    else:
        assert fitted.probability(scores).shape == scores.shape

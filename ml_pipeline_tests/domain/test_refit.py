import numpy as np
import pytest

from ml_pipeline.domain.refit import RefitFold, decide_refit

ROWS_A_NIGHT = 20


def simulated(seed: int, *, gain: float, folds: int = 3, nights: int = 10) -> list[RefitFold]:
    """Losses of two models that share the luck of each night; the refit's are lower by ``gain`` on average."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(1, folds + 1):
        dates = np.repeat(np.datetime64("2024-03-01") + np.arange(nights) + number * nights, ROWS_A_NIGHT)
        shared = np.repeat(generator.normal(0, 0.02, nights), ROWS_A_NIGHT)
        recipe = generator.gamma(2, 0.25, len(dates))
        refit = recipe - gain + shared + generator.normal(0, 0.05, len(dates))
        found.append(RefitFold(number, dates, recipe, refit))
    return found


def test_of_equal_recipes_no_more_are_refit_than_the_confidence_allows() -> None:
    """One-sided 95 %: of 400 cases without any gain 20 are expected; 33 lie three standard errors above."""
    refits = sum(decide_refit(simulated(seed, gain=0), confidence=0.95, seed=1).is_refit for seed in range(400))
    assert 0 < refits <= 33


def test_a_clear_gain_is_always_found_and_a_clear_loss_never_is() -> None:
    for seed in range(20):
        assert decide_refit(simulated(seed, gain=0.03), confidence=0.95, seed=1).is_refit
        assert not decide_refit(simulated(seed, gain=-0.03), confidence=0.95, seed=1).is_refit


def test_losses_that_are_all_alike_are_no_gain() -> None:
    folds = [RefitFold(fold.number, fold.nights, fold.recipe, fold.recipe) for fold in simulated(1, gain=0)]
    decision = decide_refit(folds, confidence=0.95, seed=1)
    assert not decision.is_refit
    assert "not above 0" in decision.reasons[0]
    assert decision.reasons[1] == "it is better in 0 of 3 folds"


def test_the_numbers_are_those_of_the_folds() -> None:
    folds = simulated(3, gain=0.03)
    decision = decide_refit(folds, confidence=0.9, seed=1)
    every = np.concatenate([fold.recipe for fold in folds]) - np.concatenate([fold.refit for fold in folds])
    gain = decision.numbers["gain"]
    assert gain["mean"] == pytest.approx(every.mean())
    assert (gain["nights"], gain["rows"], gain["confidence"]) == (30, 600, 0.9)
    assert 0 < gain["low"] < gain["mean"] < gain["high"]
    first = decision.numbers["folds"][0]
    assert (first["fold"], first["first_night"], first["last_night"]) == (1, "2024-03-11", "2024-03-20")
    assert first["recipe_log_loss"] == pytest.approx(folds[0].recipe.mean())
    assert first["refit_log_loss"] == pytest.approx(folds[0].refit.mean())


def test_the_same_folds_give_the_same_decision() -> None:
    folds = simulated(4, gain=0.01)
    assert decide_refit(folds, confidence=0.95, seed=7) == decide_refit(folds, confidence=0.95, seed=7)


def test_without_evidence_nothing_is_refit() -> None:
    assert not decide_refit([], confidence=0.95, seed=1).is_refit
    few = decide_refit(simulated(1, gain=1.0, folds=1, nights=4), confidence=0.95, seed=1)
    assert not few.is_refit
    assert "4 nights to judge by tell too little" in few.reasons[0]
    assert few.numbers["gain"]["low"] is None


def test_losses_that_cannot_be_compared_are_refused() -> None:
    (fold,) = simulated(1, gain=0, folds=1)
    with pytest.raises(ValueError, match="fold 1: 200 nights, 199 and 200 losses"):
        decide_refit([RefitFold(1, fold.nights, fold.recipe[1:], fold.refit)], confidence=0.95, seed=1)
    broken = np.where(np.arange(200) == 7, np.nan, fold.refit)
    with pytest.raises(ValueError, match="fold 1: a log loss is no finite number"):
        decide_refit([RefitFold(1, fold.nights, fold.recipe, broken)], confidence=0.95, seed=1)

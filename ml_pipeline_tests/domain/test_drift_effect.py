import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from ml_pipeline.contracts.drift import DriftContract
from ml_pipeline.domain.drift_effect import (
    WindowEffect,
    divergence,
    drifted_share,
    effect_size,
    find_drift,
    window_effect,
)

RULES = DriftContract(min_nights=4, min_rows=100, max_effect=0.1, of_windows=5, least_windows=3)
BINS = 12


def drawn(seed: int, nights: int, rows: int = 200, *, shift: float = 0.0, night_share: float = 0.0) -> np.ndarray:
    """Counts of shape (nights, 1, bins); ``night_share`` of the variance is the night's and common to its rows."""
    draw = np.random.default_rng(seed)
    counts = []
    for _ in range(nights):
        values = shift + np.sqrt(night_share) * draw.normal() + np.sqrt(1 - night_share) * draw.normal(size=rows)
        places = np.clip(((values + 3) * 2).astype(int), 0, BINS - 1)
        counts.append([np.bincount(places, minlength=BINS)])
    return np.array(counts, dtype=np.int64)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8))
def test_the_divergence_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs).T
    found = divergence(first[np.newaxis], second[np.newaxis])[0]
    if not first.sum() or not second.sum():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(np.nan_to_num(jensenshannon(first, second, base=2)) ** 2, abs=1e-9)


@pytest.mark.parametrize("night_share", [0.0, 0.5])
def test_chance_is_taken_away_however_many_rows_and_however_alike_those_of_a_night(night_share: float) -> None:
    """Windows of seven nights from the same world: plainly measured they lie apart, corrected they do not on average."""
    plain, corrected = [], []
    for seed in range(60):
        window, before = drawn(seed, 7, night_share=night_share), drawn(1000 + seed, 28, night_share=night_share)
        plain.append(divergence(window.sum(axis=0), before.sum(axis=0))[0])
        corrected.append(effect_size(window, before)[0])
    print(f"night share {night_share}: plain {np.mean(plain):.4f}, corrected {np.mean(corrected):.4f}")
    assert np.mean(corrected) < np.mean(plain) / 2
    assert np.mean(np.array(corrected) > RULES.max_effect) <= 0.05


@pytest.mark.parametrize("rows", [60, 2000])
def test_a_real_shift_keeps_its_effect_and_more_rows_do_not_enlarge_it(rows: int) -> None:
    found = [effect_size(drawn(seed, 7, rows, shift=1.2), drawn(1000 + seed, 28, rows))[0] for seed in range(10)]
    exact = divergence(drawn(1, 1, 10**6, shift=1.2)[0], drawn(2, 1, 10**6)[0])[0]
    assert np.mean(found) == pytest.approx(exact, rel=0.1)
    assert min(found) > RULES.max_effect


def test_too_few_nights_or_rows_are_missing_evidence() -> None:
    training = drawn(0, 1, 5000)[0]
    for window in (
        drawn(1, 3),
        drawn(1, 7, rows=10),
        np.zeros((7, 1, BINS), np.int64),
        np.zeros((0, 1, BINS), np.int64),
    ):
        effect = window_effect(RULES, window, drawn(2, 28), training)
        assert np.isnan(effect.training[0]) and np.isnan(effect.trailing[0])
    alone = window_effect(RULES, drawn(1, 7), drawn(2, 2), training)
    assert not np.isnan(alone.training[0]) and np.isnan(alone.trailing[0])


def told(*pairs: tuple[float, float]) -> str:
    return find_drift(RULES, [WindowEffect(np.array([one]), np.array([two])) for one, two in pairs])[0]


NAN = float("nan")


@pytest.mark.parametrize(
    ("pairs", "finding"),
    [
        ([(0.5, 0.5)] * 5, "drift"), ([(0.5, 0.0)] * 5, "season"), ([(0.0, 0.5)] * 5, "stable"), ([(0.0, 0.0)] * 5, "stable"),
        ([(0.5, 0.5)] * 2 + [(0.0, 0.0)] * 3, "stable"), ([(0.0, 0.0), (0.5, 0.5)] * 2 + [(0.5, 0.5)], "drift"),
        ([(NAN, NAN)] * 5, "missing"), ([(0.5, NAN)] * 5, "missing"), ([(0.5, 0.5)] * 2, "missing"),
        ([(0.5, 0.5)] * 9 + [(0.0, 0.0)] * 5, "stable"), ([(0.5, 0.0), (0.5, 0.0), (0.5, 0.5), (0.5, 0.5), (0.5, 0.0)], "season"),
    ],
)  # fmt: skip
def test_k_of_n_windows_decide_and_missing_ones_say_nothing(pairs: list[tuple[float, float]], finding: str) -> None:
    assert told(*pairs) == finding


def test_a_slow_season_is_told_from_a_break() -> None:
    """Night by night a little further: far from the training rows, near the nights before. A break is far from both."""
    training = drawn(0, 1, 20_000)[0]
    season = np.concatenate([drawn(seed, 1, shift=seed * 0.02) for seed in range(80)])
    broken = np.concatenate([drawn(seed, 1, shift=0.0 if seed < 70 else 1.6) for seed in range(80)])
    for counts, finding in ((season, "season"), (broken, "drift")):
        windows = [
            window_effect(RULES, counts[last - 7 : last], counts[last - 35 : last - 7], training)
            for last in range(76, 81)
        ]
        assert find_drift(RULES, windows) == (finding,)


def test_the_drifted_share_is_of_what_was_measured() -> None:
    assert drifted_share(("drift", "season", "missing", "stable", "drift")) == 0.5
    assert math.isnan(drifted_share(("missing", "missing")))

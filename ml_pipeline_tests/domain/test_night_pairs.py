import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.night_bootstrap import Draws, draw_nights
from ml_pipeline.domain.night_pairs import sampled_roc_auc
from ml_pipeline.domain.roc import roc_auc


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.booleans())
def test_the_area_of_a_sample_is_that_of_its_nights_repeated(seed: int, nights: int, ties: bool) -> None:
    generator = np.random.default_rng(seed)
    labels, scores = (generator.random(60) < 0.4).astype(float), generator.random(60)
    scores = np.round(scores, 1) if ties else scores
    night_of_row = generator.integers(0, nights, 60)
    counts = generator.integers(0, 4, (15, nights)).astype(float)
    found = sampled_roc_auc(labels, scores, Draws(counts, night_of_row))
    repeats = [count[night_of_row].astype(int) for count in counts]
    expected = [roc_auc(np.repeat(labels, times), np.repeat(scores, times)) for times in repeats]
    assert found == pytest.approx(expected, nan_ok=True)


def test_one_class_alone_has_no_area() -> None:
    draws = draw_nights(np.datetime64("2024-03-01") + np.arange(20) % 3, samples=5, seed=1)
    assert np.isnan(sampled_roc_auc(np.ones(20), np.linspace(0, 1, 20), draws)).all()

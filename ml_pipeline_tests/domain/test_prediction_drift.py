import numpy as np

from ml_pipeline.domain.drift import stability_index
from ml_pipeline.domain.prediction_drift import count_probabilities, probability_bins


def test_bins_are_deciles_of_the_reference_and_equal_probabilities_have_not_moved() -> None:
    reference = np.random.default_rng(3).beta(2, 5, 5000)
    bins = probability_bins(reference)
    assert bins.counts.sum() == 5000
    assert (np.abs(bins.counts[0, 1:11] - 500) <= 5).all()
    assert stability_index(bins, bins.counts)[0] == 0.0
    moved = count_probabilities(bins, np.minimum(reference * 1.6, 1.0))
    assert moved.sum() == 5000
    assert stability_index(bins, moved)[0] > 0.25


def test_one_and_the_same_probability_and_none_at_all_have_bins_too() -> None:
    same = probability_bins(np.full(10, 0.3))
    assert (same.counts.sum(), count_probabilities(same, np.array([0.1, 0.3, 0.9])).sum()) == (10, 3)
    assert probability_bins(np.empty(0)).counts.sum() == 0

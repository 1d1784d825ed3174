import numpy as np
import pytest
from sklearn import metrics as oracle

from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.night_bootstrap import (
    Draws,
    draw_nights,
    gain,
    interval,
    sampled_areas,
    sampled_means,
    sampled_metrics,
)


def made(nights: int, rows: int, seed: int = 1, spread: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(score dates, labels, probabilities); ``spread`` moves the risk of a whole night away from its probabilities."""
    generator = np.random.default_rng(seed)
    night = np.repeat(np.arange(nights), rows)
    told = np.round(generator.uniform(0.05, 0.95, nights * rows), 2)  # rounded: ties
    risk = np.clip(told + generator.normal(0, spread, nights)[night], 0.01, 0.99) if spread else told
    labels = (generator.random(nights * rows) < risk).astype(float)
    return np.datetime64("2024-05-01") + night, labels, told


def test_a_sample_is_what_sklearn_finds_on_the_rows_written_out_as_often_as_drawn() -> None:
    nights, labels, told = made(6, 50)
    draws = draw_nights(nights, samples=5, seed=7)
    found = sampled_metrics(labels, told, draws)
    for number, counts in enumerate(draws.counts):
        times = counts[draws.night_of_row].astype(int)
        truth, guess = np.repeat(labels, times), np.repeat(told, times)
        assert found["roc_auc"][number] == pytest.approx(oracle.roc_auc_score(truth, guess))
        assert found["average_precision"][number] == pytest.approx(oracle.average_precision_score(truth, guess))
        assert found["log_loss"][number] == pytest.approx(oracle.log_loss(truth, guess))
        assert found["brier"][number] == pytest.approx(np.mean((truth - guess) ** 2))


def test_each_night_once_gives_the_metrics_of_the_rows() -> None:
    nights, labels, told = made(4, 60)
    once = Draws(np.ones((1, 4)), draw_nights(nights, samples=1, seed=1).night_of_row)
    found, expected = sampled_metrics(labels, told, once), evaluate(labels, told)
    assert {name: values[0] for name, values in found.items()} == pytest.approx(
        {name: getattr(expected, name) for name in found}
    )


def test_a_seed_gives_the_same_draws_of_as_many_nights_as_there_are() -> None:
    nights, _, _ = made(9, 3)
    draws = draw_nights(nights, samples=20, seed=5)
    assert np.array_equal(draws.counts, draw_nights(nights, samples=20, seed=5).counts)
    assert not np.array_equal(draws.counts, draw_nights(nights, samples=20, seed=6).counts)
    assert (draws.counts.sum(axis=1) == 9).all()


def test_a_generator_draws_on_from_where_it_stands() -> None:
    nights, _, _ = made(9, 3)
    seeded, generator = draw_nights(nights, samples=20, seed=5), np.random.default_rng(5)
    assert np.array_equal(draw_nights(nights, samples=20, seed=generator).counts, seeded.counts)
    assert not np.array_equal(draw_nights(nights, samples=20, seed=generator).counts, seeded.counts)


def test_areas_of_scores_with_ties_are_those_of_the_rows_written_out() -> None:
    nights, labels, _ = made(6, 10)
    scores, draws = np.random.default_rng(5).integers(0, 9, 60) / 10, draw_nights(nights, samples=20, seed=5)
    for number, counts in enumerate(draws.counts):
        times = counts[draws.night_of_row].astype(int)
        truth, guess = np.repeat(labels, times), np.repeat(scores, times)
        assert sampled_areas(labels, scores, draws)["roc_auc"][number] == pytest.approx(
            oracle.roc_auc_score(truth, guess)
        )
        assert sampled_means(scores, draws)[number] == pytest.approx(guess.mean())
    assert np.isnan(sampled_areas(np.ones(60), scores, draws)["roc_auc"]).all()


def test_nights_that_differ_make_the_interval_wider_than_rows_would() -> None:
    nights, labels, _ = made(40, 50, spread=0.3)
    told = np.full(len(labels), 0.2)
    by_night = interval(sampled_metrics(labels, told, draw_nights(nights, samples=300, seed=2))["brier"])
    single = np.datetime64("2000-01-01") + np.arange(len(labels))
    by_row = interval(sampled_metrics(labels, told, draw_nights(single, samples=300, seed=2))["brier"])
    assert by_night.high - by_night.low > 1.5 * (by_row.high - by_row.low)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Of 95 % intervals of the Brier score of 100 simulated months, few enough miss the true score."""
    held = 0
    for seed in range(100):
        nights, labels, told = made(30, 20, seed=seed)
        around = interval(sampled_metrics(labels, told, draw_nights(nights, samples=200, seed=seed))["brier"])
        held += around.low <= np.mean(told * (1 - told)) <= around.high
    assert 85 <= held <= 100


def test_one_night_alone_and_labels_all_alike_have_no_interval() -> None:
    nights, labels, told = made(1, 50)
    assert np.isnan(interval(sampled_metrics(labels, told, draw_nights(nights, samples=9, seed=1))["brier"]).low)
    nights, labels, told = made(3, 20)
    found = sampled_metrics(np.zeros_like(labels), told, draw_nights(nights, samples=9, seed=1))
    assert np.isnan(found["roc_auc"]).all()
    assert np.isnan(interval(found["roc_auc"]).high)


@pytest.mark.parametrize(
    ("metric", "better", "worse"), [("log_loss", 0.4, 0.6), ("brier", 0.1, 0.2), ("roc_auc", 0.8, 0.7)]
)
def test_a_gain_is_positive_where_the_model_is_better(metric: str, better: float, worse: float) -> None:
    assert gain(metric, np.array([better]), np.array([worse]))[0] > 0

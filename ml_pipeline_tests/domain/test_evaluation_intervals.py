import json

import numpy as np
import pytest

from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.evaluation_intervals import EvaluationIntervals, evaluation_intervals, intervals_from_json
from ml_pipeline.domain.night_bootstrap import BOOTSTRAPPED, Draws, draw_nights

GENERATOR = np.random.default_rng(2)
SAID = GENERATOR.random(400)
LABELS = (GENERATOR.random(400) < SAID).astype(float)
DATES = np.datetime64("2024-03-01") + np.arange(400) % 9
WORSE = np.clip(SAID * 0.5 + 0.25, 0, 1)


def found(nights: np.ndarray = DATES) -> tuple[EvaluationIntervals, Draws]:
    draws = draw_nights(nights, samples=60, seed=1)
    return evaluation_intervals(LABELS, SAID, WORSE, draws), draws


def test_intervals_are_those_of_rows_repeated_as_their_nights_were_drawn() -> None:
    intervals, draws = found()
    samples = []
    for counts in draws.counts:
        times = counts[draws.night_of_row].astype(int)
        mine, theirs = (evaluate(np.repeat(LABELS, times), np.repeat(values, times)) for values in (SAID, WORSE))
        samples.append((mine.brier, mine.roc_auc, theirs.log_loss - mine.log_loss))
    low, high = np.quantile(np.array(samples), [0.025, 0.975], axis=0)
    assert (intervals.model["brier"].low, intervals.model["brier"].high) == pytest.approx((low[0], high[0]))
    assert (intervals.model["roc_auc"].low, intervals.model["roc_auc"].high) == pytest.approx((low[1], high[1]))
    assert (intervals.gain["log_loss"].low, intervals.gain["log_loss"].high) == pytest.approx((low[2], high[2]))


def test_a_gain_is_above_zero_where_the_model_is_better_whatever_the_metric() -> None:
    intervals, _ = found()
    assert set(intervals.gain) == set(intervals.model) == set(intervals.baseline) == set(BOOTSTRAPPED)
    assert intervals.gain["log_loss"].value == pytest.approx(
        evaluate(LABELS, WORSE).log_loss - evaluate(LABELS, SAID).log_loss
    )
    assert intervals.gain["brier"].low > 0
    assert intervals.gain["roc_auc"].value == 0


def test_one_night_has_no_interval_and_the_json_no_nan() -> None:
    intervals, _ = found(np.full(400, DATES[0]))
    content = json.loads(json.dumps(intervals.as_json(), allow_nan=False))
    assert content["model"]["brier"] == {"low": None, "high": None}
    assert intervals_from_json(content).as_json() == content
    whole, _ = found()
    assert intervals_from_json(whole.as_json()).model == whole.model

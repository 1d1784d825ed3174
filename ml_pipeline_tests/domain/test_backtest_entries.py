from datetime import date

import numpy as np
import pytest

from ml_pipeline.domain.backtest_entries import METRICS, Predictions, entries, pooled
from ml_pipeline.domain.evaluation import evaluate

MONTH = date(2024, 5, 1)


def made(first: str, nights: int, seed: int) -> Predictions:
    generator = np.random.default_rng(seed)
    dates = np.repeat(np.datetime64(first) + np.arange(nights), 40)
    told = generator.uniform(0.05, 0.95, len(dates))
    labels = (generator.random(len(dates)) < told).astype(float)
    return Predictions(len(dates) + 3, dates, labels, {"model": told, "constant": np.full(len(dates), 0.5)})


def found(predictions: Predictions) -> dict[tuple[object, object], dict[str, object]]:
    rows = entries(MONTH, predictions, is_pooled=False, samples=50, seed=1)
    return {(row["subject"], row["metric"]): row for row in rows}


def test_every_subject_has_every_metric_with_its_value_and_span() -> None:
    predictions = made("2024-05-01", 20, 1)
    rows = found(predictions)
    assert set(rows) == {(subject, metric) for subject in ("model", "constant") for metric in METRICS}
    for (subject, metric), row in rows.items():
        expected = evaluate(predictions.labels, predictions.subjects[str(subject)])
        assert row["value"] == getattr(expected, str(metric))
        assert (row["rows_scored"], row["rows"]) == (803, 800)
        assert (row["first_scored_night"], row["last_scored_night"]) == (MONTH, date(2024, 5, 20))


def test_gains_of_the_model_stand_with_the_other_and_lie_in_their_interval() -> None:
    rows = found(made("2024-05-01", 20, 1))
    for metric in ("log_loss", "brier", "roc_auc", "average_precision"):
        other = rows["constant", metric]
        assert 0 < float(other["model_gain_low"]) < float(other["model_gain"]) < float(other["model_gain_high"])
        assert "model_gain" not in rows["model", metric]
    assert rows["constant", "log_loss"]["model_gain"] == pytest.approx(
        rows["constant", "log_loss"]["value"] - rows["model", "log_loss"]["value"]
    )


def test_pooled_rows_are_those_of_all_months_in_order() -> None:
    months = [made("2024-04-01", 5, 1), made("2024-05-01", 6, 2)]
    whole = pooled(months)
    assert whole.rows_scored == 203 + 243
    assert np.array_equal(whole.labels, np.r_[months[0].labels, months[1].labels])
    assert np.array_equal(whole.subjects["model"], np.r_[months[0].subjects["model"], months[1].subjects["model"]])
    assert (whole.nights[0], whole.nights[-1]) == (np.datetime64("2024-04-01"), np.datetime64("2024-05-06"))

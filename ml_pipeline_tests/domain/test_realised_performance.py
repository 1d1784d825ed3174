import math

import numpy as np
import pytest

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.evaluation import row_log_loss
from ml_pipeline.domain.night_bootstrap import Draws, draw_nights
from ml_pipeline.domain.paired_bootstrap import RESAMPLES, paired_gain
from ml_pipeline.domain.realised_performance import RealisedRows, realised_performance, slice_performance
from ml_pipeline.domain.reliability import SliceColumn

COSTS = DecisionContract(cost_false_alarm=1.0, cost_miss=3.0)
SEED = 7


def drawn(nights: int) -> tuple[RealisedRows, np.ndarray, Draws]:
    """Nights of 30 rows; the baseline knows half of what the model knows."""
    draw = np.random.default_rng(11)
    dates = np.repeat(np.datetime64("2024-05-01") + np.arange(nights), 30)
    truth = draw.beta(1, 2, len(dates))
    labels = (draw.random(len(dates)) < truth).astype(float)
    said = {"model": truth, "baseline": (truth + 0.33) / 2}
    rows = RealisedRows(labels, said, {name: values > 0.25 for name, values in said.items()})
    draws = (
        draw_nights(dates, samples=RESAMPLES, seed=SEED)
        if nights
        else Draws(np.empty((RESAMPLES, 0)), np.empty(0, int))
    )
    return rows, dates, draws


def test_metrics_and_gains_are_what_the_paired_bootstrap_of_the_gate_finds() -> None:
    rows, dates, draws = drawn(14)
    found = realised_performance(COSTS, rows, draws)
    loss = {name: row_log_loss(rows.labels, values) for name, values in rows.probabilities.items()}
    paid = {name: np.where(acts, rows.labels == 0, 3.0 * rows.labels) for name, acts in rows.acts.items()}
    for name, values, mean in (
        ("log_loss", loss["model"], found["model"]["log_loss"]),
        ("log_loss_gain", loss["baseline"] - loss["model"], found["model"]["log_loss_gain"]),
        ("cost_gain", paid["baseline"] - paid["model"], found["model"]["cost_gain"]),
    ):
        oracle = paired_gain(dates, values, confidence=0.975, seed=SEED)
        assert mean == pytest.approx(oracle.mean)
        assert (found["model"][f"{name}_low"], found["model"][f"{name}_high"]) == pytest.approx(
            (oracle.low, oracle.high)
        )
    assert found["baseline"]["mean_cost"] - found["model"]["mean_cost"] == pytest.approx(found["model"]["cost_gain"])
    assert "cost_gain" not in found["baseline"]


@pytest.mark.parametrize("nights", [0, 1, 4])
def test_too_few_nights_have_no_interval(nights: int) -> None:
    rows, _, draws = drawn(nights)
    found = realised_performance(COSTS, rows, draws)["model"]
    assert math.isnan(found["log_loss_low"]) and math.isnan(found["cost_gain_high"])
    assert math.isnan(found["log_loss"]) == (nights == 0)


def test_a_slice_is_what_its_rows_alone_are_under_the_same_draws_of_nights() -> None:
    rows, dates, draws = drawn(14)
    codes = np.arange(len(dates)) % 3
    codes[(codes == 2) & (dates > dates[0] + 2)] = 0  # the third value is seen on three nights only
    column = SliceColumn("channel", ("app", "never", "phone", "web"), np.array([0, 3, 2])[codes])
    found = dict(slice_performance(COSTS, rows, column, draws))
    assert list(found) == ["app", "phone", "web"]
    here = np.flatnonzero(column.code_of_row == 3)
    alone = realised_performance(COSTS, rows.of_rows(here), draws=Draws(draws.counts, draws.night_of_row[here]))
    for subject in ("model", "baseline"):
        mine = found["web"][subject]
        assert mine == pytest.approx({name: alone[subject][name] for name in mine})
    assert math.isnan(found["phone"]["model"]["log_loss_gain_low"])
    assert not math.isnan(found["phone"]["model"]["log_loss_gain"])

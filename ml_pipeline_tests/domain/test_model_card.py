from pathlib import Path

import numpy as np
import pytest

from ml_pipeline.contracts.project import DecisionContract, load_project
from ml_pipeline.domain.cost_sensitivity import cost_sensitivity
from ml_pipeline.domain.evaluation import Metrics
from ml_pipeline.domain.model_card import model_card
from ml_pipeline.domain.split_report import split_markdown
from ml_pipeline_tests.domain.test_split_report import REPORT

MODEL = Metrics(480, 0.4042, 0.4399, 0.5194, 0.1737, 0.8130, 0.7618, 0.0589)
BASELINE = Metrics(480, 0.4042, 0.4100, 0.5928, 0.2034, 0.7347, 0.6275, 0.0676)
SENSITIVITY = cost_sensitivity(
    DecisionContract(cost_false_alarm=1, cost_miss=2), np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.4, 0.3, 0.8])
)


@pytest.fixture
def card(shop_project: Path) -> str:
    project = load_project(shop_project)
    gains = {f"feature_{number:02d}": float(number) for number in range(20)}
    return model_card(
        project, feature_set_version="abc123", split=REPORT, model=MODEL, baseline=BASELINE, calibrator="sigmoid",
        threshold=1 / 3, gain_by_feature=gains, sensitivity=SENSITIVITY,
    )  # fmt: skip


def test_the_card_says_what_the_model_is_and_who_owns_it(card: str) -> None:
    for words in ("# Returned orders of a shop: model of the night 2024-05-05", "team:shop", "`is_returned`", "`abc123`",
                  "sigmoid", "threshold 0.3333", "a miss costs 2, a false alarm\n1"):  # fmt: skip
        assert words in card


def test_the_card_names_the_nights_and_the_rows_of_each_block(card: str) -> None:
    assert "| train | 2024-02-18 | 2024-03-16 | 1,234 |" in card
    assert "| test | 2024-04-20 | 2024-05-01 | 480 |" in card
    assert "parted by 4 unused nights" in card
    assert split_markdown(REPORT) in card.split("## Nights")[1].split("## Test block", maxsplit=1)[0]


def test_the_card_sets_the_model_beside_the_baseline(card: str) -> None:
    assert "| log_loss | 0.5194 | 0.5928 |" in card
    assert "| roc_auc | 0.8130 | 0.7347 |" in card
    assert "against the baseline (baseline_return_rate)" in card


def test_the_card_names_the_fifteen_leading_features_by_share_of_gain(card: str) -> None:
    table = card.split("| feature | share |")[1].split("##", maxsplit=1)[0]
    rows = [line for line in table.splitlines() if line.startswith("| feature_")]
    assert rows[0] == "| feature_19 | 10.0% |"
    assert len(rows) == 15
    assert rows == sorted(rows, reverse=True)


def test_a_model_without_a_split_still_has_a_card(shop_project: Path) -> None:
    project = load_project(shop_project)
    card = model_card(
        project, feature_set_version="x", split=REPORT, model=MODEL, baseline=BASELINE, calibrator="isotonic",
        threshold=0.5, gain_by_feature={"only": 0.0}, sensitivity=SENSITIVITY,
    )  # fmt: skip
    assert "| only | 0.0% |" in card

import json
from typing import Any

import numpy as np
import pytest

from ml_pipeline.domain.calibration import Calibrator, calibrator_from_json

MAPS = (
    Calibrator("identity", (), (), {}), Calibrator("intercept", (-0.4,), (), {}), Calibrator("temperature", (0.7,), (), {}),
    Calibrator("sigmoid", (0.7, -0.2), (), {}), Calibrator("beta", (0.6, 1.4, -0.3), (), {}),
    Calibrator("beta", (0.0, 1.0, 0.1), (), {}), Calibrator("isotonic", (0.2, 0.5, 0.9), (0.0, 0.4, 1.0), {}),
)  # fmt: skip


@pytest.mark.parametrize("calibrator", MAPS, ids=lambda calibrator: calibrator.kind)
def test_the_map_is_monotone_and_never_certain(calibrator: Calibrator) -> None:
    mapped = calibrator.probability(np.linspace(0, 1, 501))
    assert np.all(np.diff(mapped) >= 0)
    assert mapped.min() >= 0.001
    assert mapped.max() <= 0.999


def test_the_map_is_the_formula_of_its_kind() -> None:
    score = np.array([0.2, 0.6])
    odds = score / (1 - score)
    for kind, inputs, wanted in (
        ("identity", (), odds), ("intercept", (0.5,), odds * np.exp(0.5)), ("temperature", (0.5,), odds**0.5),
        ("sigmoid", (2.0, 0.5), odds**2 * np.exp(0.5)), ("beta", (2.0, 3.0, 0.5), score**2 / (1 - score) ** 3 * np.exp(0.5)),
    ):  # fmt: skip
        assert Calibrator(kind, inputs, (), {}).probability(score) == pytest.approx(wanted / (1 + wanted), abs=1e-12)


@pytest.mark.parametrize(
    "content",
    [
        {
            "kind": "sigmoid",
            "inputs": [0.9, -0.1],
            "outputs": [],
            "log_loss_by_kind": {"sigmoid": 0.5, "isotonic": 0.6},
        },
        {"kind": "isotonic", "inputs": [0.1, 0.9], "outputs": [0.2, 0.8], "log_loss_by_kind": {}},
    ],
)
def test_bundles_from_before_there_were_reasons_stay_readable(content: dict[str, Any]) -> None:
    assert calibrator_from_json(content).as_json() == {**content, "reasons": []}


@pytest.mark.parametrize("calibrator", MAPS, ids=lambda calibrator: calibrator.kind)
def test_stored_numbers_give_the_same_probabilities_to_the_last_bit(calibrator: Calibrator) -> None:
    stored = calibrator_from_json(json.loads(json.dumps(calibrator.as_json())))
    scores = np.random.default_rng(1).random(200)
    assert stored == calibrator
    assert np.array_equal(calibrator.probability(scores), stored.probability(scores))


GOOD = {"kind": "isotonic", "inputs": [0.1, 0.9], "outputs": [0.2, 0.8], "log_loss_by_kind": {}}


@pytest.mark.parametrize(
    "damage",
    [
        {"inputs": [0.9, 0.1]}, {"inputs": [0.1, 0.1]}, {"outputs": [0.8, 0.2]}, {"outputs": [0.2, 1.2]},
        {"outputs": [-0.2, 0.8]}, {"outputs": [0.2]}, {"inputs": [], "outputs": []}, {"inputs": [0.1, float("nan")]},
        {"outputs": [0.2, float("inf")]}, {"kind": "pickle"}, {"kind": "sigmoid"},
        {"kind": "sigmoid", "inputs": [-1.0, 0.0], "outputs": []},
        {"kind": "sigmoid", "inputs": [0.0, 0.0], "outputs": []}, {"kind": "sigmoid", "inputs": [1.0], "outputs": []},
        {"kind": "intercept", "inputs": [], "outputs": []}, {"kind": "intercept", "inputs": [1.0, 1.0], "outputs": []},
        {"kind": "intercept", "inputs": [float("inf")], "outputs": []},
        {"kind": "temperature", "inputs": [-1.0], "outputs": []}, {"kind": "temperature", "inputs": [0.0], "outputs": []},
        {"kind": "beta", "inputs": [1.0, -0.1, 0.0], "outputs": []}, {"kind": "beta", "inputs": [0.0, 0.0, 1.0], "outputs": []},
        {"kind": "beta", "inputs": [1.0, 1.0], "outputs": []}, {"kind": "beta", "inputs": [1.0, 1.0, 0.0], "outputs": [0.1]},
        {"kind": "identity", "inputs": [1.0], "outputs": []}, {"reasons": "because"}, {"reasons": [1]},
    ],
)  # fmt: skip
def test_a_map_that_is_no_monotone_map_is_refused(damage: dict[str, Any]) -> None:
    assert calibrator_from_json(GOOD).kind == "isotonic"
    with pytest.raises(ValueError, match=r"calibrator\.json"):
        calibrator_from_json(GOOD | damage)

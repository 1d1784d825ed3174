import math

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, count, false_positive_rate, selection_rate, true_positive_rate

from ml_pipeline.domain.group_fairness import GroupNumbers, numbers_by_group, spreads

GROUPS = np.array(["b", "a", "a", "a", "a", "b", "c"], dtype=object)
LABELS = np.array([1.0, 1, 1, 0, 0, 1, 0])
SAID = np.array([0.9, 0.8, 0.2, 0.6, 0.2, 0.3, 0.5])


def test_numbers_of_each_group_are_those_counted_by_hand() -> None:
    found = numbers_by_group(GROUPS, LABELS, SAID, SAID >= 0.5)
    assert list(found) == ["a", "b", "c"]
    assert found["a"] == GroupNumbers(4, pytest.approx(0.05), 0.5, 0.5, 0.5)
    assert (found["b"].calibration_gap, found["b"].selection_rate) == (pytest.approx(0.4), 0.5)
    assert found["b"].true_positive_rate == 0.5 and math.isnan(found["b"].false_positive_rate)
    assert found["c"].false_positive_rate == 1.0 and math.isnan(found["c"].true_positive_rate)


def test_spreads_leave_out_groups_that_cannot_say() -> None:
    found = spreads(numbers_by_group(GROUPS, LABELS, SAID, SAID >= 0.5).values())
    assert found.as_dict() == {"selection_rate": 0.5, "true_positive_rate": 0.0, "false_positive_rate": 0.5}
    assert math.isnan(spreads([]).selection_rate)


def test_what_is_acted_on_is_what_was_decided_not_a_threshold() -> None:
    assert numbers_by_group(GROUPS, LABELS, SAID, np.ones(7, dtype=bool))["a"].selection_rate == 1.0


def test_the_numbers_are_those_of_fairlearns_own_metrics_on_the_rows() -> None:
    rng = np.random.default_rng(4)
    groups = np.array(["x", "y", "z"], dtype=object)[rng.integers(0, 3, 900)]
    labels, said = (rng.random(900) < 0.3).astype(float), rng.random(900)
    acts = said >= 0.6
    frame = MetricFrame(
        metrics={
            "rows": count, "selection_rate": selection_rate, "true_positive_rate": true_positive_rate,
            "false_positive_rate": false_positive_rate,
        }, y_true=labels, y_pred=acts.astype(float), sensitive_features=groups,
    )  # fmt: skip
    found = numbers_by_group(groups, labels, said, acts)
    for name, expected in frame.by_group.to_dict(orient="index").items():
        gap = abs(said[groups == name].mean() - labels[groups == name].mean())
        assert found[name].as_dict() == pytest.approx(expected | {"calibration_gap": gap})
    differences = frame.difference().drop("rows").to_dict()
    assert spreads(found.values()).as_dict() == pytest.approx(differences)


def test_no_rows_have_no_groups() -> None:
    assert numbers_by_group(GROUPS[:0], LABELS[:0], SAID[:0], SAID[:0] >= 0.5) == {}

import numpy as np
import pytest

from ml_pipeline.domain.scoring import score_matrix
from ml_pipeline.domain.worst_cases import WorstCase, worst_cases
from ml_pipeline_tests.small_model import SmallModel, small_model


@pytest.fixture(scope="module")
def model() -> SmallModel:
    return small_model()


def worst(model: SmallModel, labels: np.ndarray, probabilities: np.ndarray, count: int) -> tuple[WorstCase, ...]:
    return worst_cases(
        model.scorer, model.rows.slice(0, len(labels)), ("order_id",), matrix=model.matrix[: len(labels)], labels=labels,
        probabilities=probabilities, count=count, threads=1,
    )  # fmt: skip


def test_both_kinds_come_with_the_greatest_mistake_first(model: SmallModel) -> None:
    labels = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    found = worst(model, labels, np.array([0.1, 0.9, 0.4, 0.3, 0.8, 0.7]), 2)
    assert [(case.key["order_id"], case.label) for case in found] == [("0", 1), ("4", 0), ("5", 0), ("2", 1)]
    assert [case.mistake for case in found] == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert found[0].key == {"score_date": "2024-03-01", "order_id": "0"}


def test_equal_mistakes_keep_the_order_of_the_rows(model: SmallModel) -> None:
    found = worst(model, np.tile([1.0, 0.0], 100), np.full(200, 0.5), 2)
    assert [case.key["order_id"] for case in found] == ["0", "1", "2", "3"]


def test_a_kind_with_fewer_rows_gives_fewer(model: SmallModel) -> None:
    assert [case.label for case in worst(model, np.array([0.0, 0.0, 1.0]), np.array([0.2, 0.3, 0.9]), 5)] == [0, 0, 1]
    assert worst(model, np.empty(0), np.empty(0), 5) == ()


def test_reasons_are_those_that_are_stored_with_scores(model: SmallModel) -> None:
    scored = score_matrix(model.scorer, model.matrix, threads=1)
    found = worst_cases(
        model.scorer, model.rows, ("order_id",), matrix=model.matrix, labels=model.labels,
        probabilities=scored.probability, count=3, threads=1,
    )  # fmt: skip
    assert len(found) == 6
    for case in found:
        assert list(case.reasons) == list(scored.reasons[int(case.key["order_id"])])

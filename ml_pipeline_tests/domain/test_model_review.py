import json
from datetime import date

import numpy as np

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.domain.ablation import GroupAblation, Interval
from ml_pipeline.domain.behaviour import Behaviour, DirectionTrial, InvarianceTrial
from ml_pipeline.domain.cost_sensitivity import cost_sensitivity
from ml_pipeline.domain.importance import FeatureImportance
from ml_pipeline.domain.model_review import ModelReview, review_markdown
from ml_pipeline.domain.worst_cases import WorstCase

INVARIANCE = InvarianceTrial(("number",), ("shelf",), 90, 0.0021, 0.04, 0.01)
DIRECTION = DirectionTrial("rate", "increasing", 5, 3, -0.001)
NAN = float("nan")


def review(
    *, worst: tuple[WorstCase, ...] = (), invariance: InvarianceTrial | None = None, violations: tuple[str, ...] = ()
) -> ModelReview:
    labels = np.array([0.0, 1.0, 1.0])
    return ModelReview(
        "2024-05-05-abc", date(2024, 4, 20), date(2024, 5, 1), 3,
        tuple(FeatureImportance(f"feature_{place:02d}", 0.5, 0.05) for place in range(20)),
        (GroupAblation("rates", ("rate",), Interval(0.1, 0.05, 0.2), Interval(NAN, NAN, NAN)),),
        worst, Behaviour((DIRECTION,), 900, invariance, violations),
        cost_sensitivity(DecisionContract(cost_false_alarm=1.0, cost_miss=3.0), labels, labels),
    )  # fmt: skip


def test_the_report_holds_every_part() -> None:
    case = WorstCase({"score_date": "2024-04-21", "order_id": "7"}, 1, 0.0312, ("raises: A | B = 1", "lowers: C = 2"))
    text = review_markdown(review(worst=(case,), invariance=INVARIANCE, violations=("rate falls",)))
    assert text.startswith("# Review of model 2024-05-05-abc\n")
    assert "3 labelled rows of the nights 2024-04-20 to 2024-05-01" in text
    assert "| feature_14 | 0.5000 | 5.0% |" in text
    assert "feature_15" not in text
    assert "| rates | 1 | +0.1000 (+0.0500 to +0.2000) | not known |" in text
    assert "| 2024-04-21 | 7 | 0.031 | 1 | raises: A \\| B = 1; lowers: C = 2 |" in text
    assert (
        "1 features with a declared direction were raised in 5 trials on 900 rows; 3 scores moved the other way" in text
    )
    assert "number exchanged among rows of a night alike in shelf: 90 rows got another value" in text
    assert "- **Does not hold**: rate falls" in text
    assert "The threshold 0.2500 decides." in text


def test_what_was_not_tried_is_said() -> None:
    text = review_markdown(review())
    assert "Invariance: nothing is declared." in text
    assert "Does not hold" not in text
    assert "There is no row." in text


def test_the_json_is_plain_and_has_no_nan() -> None:
    content = review(invariance=INVARIANCE).as_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert (content["first"], content["last"]) == ("2024-04-20", "2024-05-01")
    assert content["groups"][0]["roc_auc_lost"] == {"estimate": None, "low": None, "high": None}
    assert content["behaviour"]["invariance"]["tolerance"] == 0.01
    assert content["sensitivity"]["mode"] == "threshold"
    assert len(content["importance"]) == 20

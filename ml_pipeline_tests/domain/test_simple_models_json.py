import copy
import json
from typing import Any

import numpy as np
import pytest

from ml_pipeline.domain.simple_models import fit_simple_models
from ml_pipeline.domain.simple_models_json import simple_models_as_json, simple_models_from_json
from ml_pipeline_tests.domain.test_simple_models import FEATURES, NAMES, made

ROWS, LABELS = made(400)
MODELS = fit_simple_models(ROWS, LABELS, features=FEATURES, baseline_feature=NAMES[1])
TEXT = json.dumps(simple_models_as_json(MODELS))


def test_simple_models_come_back_from_text_bit_for_bit() -> None:
    again = simple_models_from_json(json.loads(TEXT))
    assert again == MODELS
    before, after = MODELS.probabilities(ROWS), again.probabilities(ROWS)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def spoiled(place: tuple[str, ...], value: Any) -> Any:
    content = copy.deepcopy(json.loads(TEXT))
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    if value is KeyError:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return content


LOGISTIC = json.loads(TEXT)["logistic"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "must say"), (None, "must say"), (spoiled(("more",), 1), "must say"),
        (spoiled(("logistic",), KeyError), "must say"), (spoiled(("logistic", "weights"), KeyError), "must say"),
        (spoiled(("positive_share",), 1.5), "no probability"), (spoiled(("positive_share",), "0.5"), "no finite number"),
        (spoiled(("positive_share",), True), "no finite number"), (spoiled(("baseline_feature",), 3), "no name"),
        (spoiled(("logistic", "intercept"), float("nan")), "no finite number"),
        (spoiled(("logistic", "weights"), [json.loads("1e400"), *LOGISTIC["weights"][1:]]), "no finite number"),
        (spoiled(("logistic", "weights"), LOGISTIC["weights"][1:]), "9 entries for 10 features"),
        (spoiled(("logistic", "means"), "1234567890"), "no list"),
        (spoiled(("logistic", "deviations"), [0.0, *LOGISTIC["deviations"][1:]]), "not above 0"),
        (spoiled(("logistic", "features"), ["a", "a"]), "none twice"), (spoiled(("logistic", "features"), []), "1 to 10"),
        (spoiled(("logistic", "features"), [f"f{number}" for number in range(11)]), "1 to 10"),
    ],
)  # fmt: skip
def test_what_no_training_writes_is_refused(content: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        simple_models_from_json(content)

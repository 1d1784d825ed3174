from datetime import date

import numpy as np
import pytest

from ml_pipeline.contracts.project import LabelContract
from ml_pipeline.domain.maturity import judge_maturity
from ml_pipeline.nights import nights_back

SCORED = date(2024, 5, 1)
LABEL = LabelContract(model="m", name="n", horizon_nights=4, max_untimely_share=0.05)


def labels(known: int, rows: int = 100) -> np.ndarray:
    return np.array([float(place % 2) if place < known else np.nan for place in range(rows)])


@pytest.mark.parametrize(
    ("known", "age", "state"),
    [
        (0, 1, "pending"), (0, 9, "pending"), (1, 1, "partly_matured"), (100, 3, "partly_matured"), (94, 4, "partly_matured"),
        (95, 4, "matured"), (95, 3, "partly_matured"), (100, 30, "matured"),
    ],
)  # fmt: skip
def test_a_night_matures_when_its_horizon_is_over_and_all_but_stragglers_are_known(
    known: int, age: int, state: str
) -> None:
    found = judge_maturity(LABEL, SCORED, labels(known), tonight=nights_back(SCORED, -age))
    assert (found.state, found.coverage, found.reopened_rows) == (state, known / 100, 0)
    assert f"{known} of 100 labels are known, {age} nights after" in found.reasons[0]


def test_a_corrected_label_and_a_late_one_reopen_a_night() -> None:
    before, now = labels(95), labels(97)
    now[0] = 1 - now[0]
    found = judge_maturity(LABEL, SCORED, now, tonight=nights_back(SCORED, -9), measured=before)
    assert (found.state, found.reopened_rows) == ("matured", 3)
    assert "must be measured again" in found.reasons[1]
    assert judge_maturity(LABEL, SCORED, before, tonight=nights_back(SCORED, -9), measured=before).reopened_rows == 0


def test_a_night_without_rows_is_pending_and_other_rows_are_refused() -> None:
    empty = judge_maturity(LABEL, SCORED, labels(0, 0), tonight=SCORED)
    assert (empty.state, np.isnan(empty.coverage)) == ("pending", True)
    with pytest.raises(ValueError, match="has 3 rows and was measured on 2"):
        judge_maturity(LABEL, SCORED, labels(3, 3), tonight=SCORED, measured=labels(2, 2))

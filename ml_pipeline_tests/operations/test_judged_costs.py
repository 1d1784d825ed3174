import math
from datetime import date
from typing import Any

import pytest

from ml_pipeline.operations.judged_costs import judged_costs

SCORED, JUDGED = date(2024, 5, 1), date(2024, 5, 5)


def rows(mean_cost: float | None = 0.5, **facts: object) -> list[dict[str, Any]]:
    return [
        {"window_nights": window, "subject": subject, "last_scored_night": SCORED, "rows": 40, "mean_cost": cost, **facts}
        for window in (1, 7) for subject, cost in (("model", mean_cost), ("baseline", 0.75))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("served_by", "version", "counted_for", "is_fallback"),
    [("champion", "m", "m", False), ("baseline", "m", None, True), ("previous_champion", "l", None, True),
     ("previous_champion", "m", None, True), ("champion", "l", None, False), (None, None, "m", False)],
)  # fmt: skip
def test_a_night_counts_for_the_champion_that_scored_it_as_such(
    served_by: str | None, version: str | None, counted_for: str | None, is_fallback: bool
) -> None:
    (found,) = judged_costs({JUDGED: rows(served_by=served_by, model_version=version)}, {SCORED: "m"})
    assert (found.model_version, found.is_fallback) == (counted_for, is_fallback)
    assert (found.judged_on, found.scored_night, found.rows) == (JUDGED, SCORED, 40)
    assert (found.model_cost, found.baseline_cost) == (0.5, 0.75)


def test_rows_of_before_the_columns_count_as_they_did() -> None:
    (found,) = judged_costs({JUDGED: rows()}, {SCORED: "m"})
    assert (found.model_version, found.is_fallback) == ("m", False)


def test_a_cost_that_is_missing_is_no_number_and_a_window_alone_is_no_night() -> None:
    (found,) = judged_costs({JUDGED: rows(None)}, {})
    assert (math.isnan(found.model_cost), found.model_version) == (True, None)
    assert judged_costs({JUDGED: [row for row in rows() if row["window_nights"] == 7]}, {}) == []

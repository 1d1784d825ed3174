from datetime import date

import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.replay import IncidentContract, ReplayContract

FIRST = date(2024, 5, 1)


def incident(**other: object) -> IncidentContract:
    return IncidentContract.model_validate(
        {"name": "one", "title": "One", "kind": "missing", "source": "orders", "first": FIRST, "nights": 3} | other
    )


@pytest.mark.parametrize(("other", "last", "settled"), [
    ({}, date(2024, 5, 3), date(2024, 5, 3)),
    ({"kind": "late"}, date(2024, 5, 3), date(2024, 5, 4)),
    ({"kind": "late", "delay_nights": 2}, date(2024, 5, 3), date(2024, 5, 5)),
    ({"kind": "scaled", "column": "price", "factor": 100}, date(2024, 5, 3), date(2024, 5, 3)),
])  # fmt: skip
def test_an_incident_ends_when_its_last_row_has_landed(other: dict[str, object], last: date, settled: date) -> None:
    assert (incident(**other).last, incident(**other).settled_on) == (last, settled)


@pytest.mark.parametrize(("other", "told"), [
    ({"kind": "scaled"}, "name a column for scaled"),
    ({"column": "price"}, "name a column for scaled"),
    ({"kind": "scaled", "column": "price"}, "change nothing"),
    ({"delay_nights": 1}, "delay_nights belongs to late"),
    ({"nights": 0}, "greater than or equal to 1"),
])  # fmt: skip
def test_an_incident_that_says_too_little_or_too_much_is_refused(other: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        incident(**other)


@pytest.mark.parametrize(("other", "told"), [
    ({"clean_until": date(2024, 4, 1)}, "not in order"),
    ({"incidents": (incident(), incident())}, "two incidents have one name"),
    ({"incidents": (incident(first=date(2024, 5, 29)),)}, "do not lie within"),
])  # fmt: skip
def test_a_replay_out_of_order_is_refused(other: dict[str, object], told: str) -> None:
    span = {"first": FIRST, "last": date(2024, 5, 30), "clean_until": date(2024, 5, 10)}
    with pytest.raises(ValidationError, match=told):
        ReplayContract.model_validate(span | other)

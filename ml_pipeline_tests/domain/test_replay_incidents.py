from datetime import date, timedelta

import pytest

from ml_pipeline.contracts.replay import IncidentContract
from ml_pipeline.domain.replay_incidents import Found, Kind, false_alarm_nights, judge_incident

FIRST = date(2024, 5, 10)


def incident(kind: str = "missing", **other: object) -> IncidentContract:
    told = {"name": "one", "title": "One", "kind": kind, "source": "orders", "first": FIRST, "nights": 3}
    return IncidentContract.model_validate(told | other)


def found(day: int, kind: Kind, source: str = "orders") -> Found:
    return Found(FIRST + timedelta(days=day), kind, source, f"{kind} {day}")


@pytest.mark.parametrize(("what", "is_label_source", "said", "named", "nights"), [
    ("missing", False, [found(1, "held"), found(2, "bad_data")], "bad_data", 1),
    ("missing", False, [found(0, "drift")], "drift", 0),
    ("missing", False, [], "nothing", None),
    # Told by what came later: the night was held for want of rows that then came late.
    ("late", False, [found(0, "held"), found(3, "late_rows")], "late_data", 0),
    ("late", True, [found(0, "held"), found(2, "missing_labels", ""), found(3, "late_rows")], "missing_labels", 0),
    # Of another source, of before, of long after: not of this incident.
    ("missing", False, [found(1, "held", "returns"), found(-1, "held"), found(12, "bad_data")], "nothing", None),
    ("missing", False, [found(1, "bad_data", "")], "bad_data", 1),
])  # fmt: skip
def test_an_incident_is_named_by_what_the_pipeline_said(
    what: str, is_label_source: bool, said: list[Found], named: str, nights: int | None
) -> None:  # fmt: skip
    judged = judge_incident(incident(what), said, is_label_source=is_label_source)
    assert (judged.found, judged.nights_to_detection) == (named, nights)
    assert judged.detected_on == (None if nights is None else FIRST + timedelta(days=nights))


@pytest.mark.parametrize(("what", "is_label_source", "truth"), [
    ("missing", False, "bad_data"), ("scaled", False, "bad_data"), ("late", False, "late_data"), ("late", True, "missing_labels"),
])  # fmt: skip
def test_what_an_incident_really_is(what: str, is_label_source: bool, truth: str) -> None:
    other = {"column": "price", "factor": 100} if what == "scaled" else {}
    judged = judge_incident(incident(what, **other), [], is_label_source=is_label_source)
    assert (judged.truth, judged.is_right, judged.detected_by) == (truth, False, "nobody")


def test_a_night_with_two_findings_is_one_false_alarm_and_drift_is_none() -> None:
    said = [found(0, "held"), found(0, "bad_data"), found(1, "drift"), found(2, "late_rows"), found(3, "bad_data")]
    assert false_alarm_nights(said, FIRST + timedelta(days=2)) == (FIRST, FIRST + timedelta(days=2))

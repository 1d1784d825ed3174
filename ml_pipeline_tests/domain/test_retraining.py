from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.project import MonitoringContract
from ml_pipeline.domain.retraining import DriftNight, decide
from ml_pipeline.nights import nights_back

CONTRACT = MonitoringContract(
    window_nights=7, psi_limit=0.25, drifted_share_limit=0.4, persistence_nights=3, cool_down_nights=14,
    report_weekday=6, report_rows=200, report_features=8,
)  # fmt: skip
TONIGHT = date(2024, 6, 20)
TRAINED = date(2024, 5, 5)


def history(*shares: float, version: str = "m1", last: date = TONIGHT) -> list[DriftNight]:
    """One entry a night, ending with ``last``."""
    return [
        DriftNight(nights_back(last, len(shares) - 1 - position), version, share)
        for position, share in enumerate(shares)
    ]


def test_persistent_drift_after_the_cool_down_asks_for_one_retraining() -> None:
    decision = decide(CONTRACT, history(0.1, 0.5, 0.5, 0.6), trained_on=TRAINED)
    assert (decision.verdict, decision.evidence_id) == ("retrain", "m1_2024-06-18")
    assert "60% of the features drifted on 2024-06-20" in decision.reasons[0]
    assert "46 nights ago" in decision.reasons[1]


def test_the_same_stretch_keeps_its_name_as_it_grows() -> None:
    names = {
        decide(
            CONTRACT, history(0.1, *[0.5] * nights, last=nights_back(TONIGHT, 3 - nights)), trained_on=TRAINED
        ).evidence_id
        for nights in range(3, 12)
    }
    assert names == {"m1_2024-06-18"}


@pytest.mark.parametrize("share", [0.4, 0.39, 0.0, float("nan")])
def test_a_night_at_the_limit_or_unmeasured_is_not_drifted(share: float) -> None:
    decision = decide(CONTRACT, history(0.9, 0.9, 0.9, share), trained_on=TRAINED)
    assert (decision.verdict, decision.evidence_id) == ("nothing", "")


@pytest.mark.parametrize("share", [0.4, float("nan")])
def test_one_calm_night_ends_the_stretch(share: float) -> None:
    decision = decide(CONTRACT, history(0.9, 0.9, share, 0.9, 0.9), trained_on=TRAINED)
    assert decision.verdict == "nothing"
    assert decision.evidence_id == "m1_2024-06-19"
    assert "not persistent: 2 of 3 nights" in decision.reasons[1]


@pytest.mark.parametrize(("age", "verdict"), [(13, "nothing"), (14, "retrain")])
def test_the_cool_down_lasts_exactly_its_nights(age: int, verdict: str) -> None:
    decision = decide(CONTRACT, history(0.5, 0.5, 0.5), trained_on=nights_back(TONIGHT, age))
    assert decision.verdict == verdict
    assert any("cooling down" in reason for reason in decision.reasons) == (verdict == "nothing")


def test_drift_of_the_model_before_is_no_evidence_against_the_new_one() -> None:
    entries = [*history(0.9, 0.9, 0.9, version="old", last=nights_back(TONIGHT, 1)), *history(0.9, version="new")]
    decision = decide(CONTRACT, entries, trained_on=TRAINED)
    assert (decision.verdict, decision.evidence_id) == ("nothing", "new_2024-06-20")


def test_nights_apart_are_not_consecutive() -> None:
    """Nights that were never watched say nothing; they must not join two nights of drift into one stretch."""
    entries = [*history(0.9, 0.9, last=date(2024, 5, 20)), *history(0.9)]
    decision = decide(CONTRACT, entries, trained_on=TRAINED)
    assert (decision.verdict, decision.evidence_id) == ("nothing", "m1_2024-06-20")


@given(st.lists(st.sampled_from([0.1, 0.5, float("nan")]), min_size=1, max_size=15), st.integers(0, 40))
def test_a_retraining_is_asked_for_exactly_when_drift_persists_and_the_model_is_old(
    shares: list[float], age: int
) -> None:
    stretch = 0
    while stretch < len(shares) and shares[-1 - stretch] == 0.5:
        stretch += 1
    decision = decide(CONTRACT, history(*shares), trained_on=nights_back(TONIGHT, age))
    assert (decision.verdict == "retrain") == (stretch >= 3 and age >= 14)
    assert bool(decision.evidence_id) == (stretch > 0)
    assert decision.reasons

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.evaluation import Metrics
from ml_pipeline.domain.gate import Contestant, Verdict, judge

CONTEST = date(2024, 4, 20)
GOOD = Metrics(480, 0.4, 0.4, log_loss=0.50, brier=0.17, roc_auc=0.80, average_precision=0.75, calibration_error=0.05)
WORSE = Metrics(480, 0.4, 0.4, log_loss=0.60, brier=0.20, roc_auc=0.70, average_precision=0.60, calibration_error=0.05)
CHALLENGER = Contestant("2024-05-05-new", GOOD, date(2024, 4, 15))
BASELINE = Contestant("baseline", WORSE, None)
CHAMPION = Contestant("2024-03-01-old", replace(GOOD, log_loss=0.51), date(2024, 3, 1))
NAN = float("nan")


def verdict(
    challenger: Contestant = CHALLENGER, baseline: Contestant = BASELINE, champion: Contestant | None = None,
    margin: float = 0.005,
) -> Verdict:  # fmt: skip
    return judge(challenger, baseline, champion, contest_first=CONTEST, min_log_loss_gain=margin)


def with_metrics(contestant: Contestant, **changes: float) -> Contestant:
    return replace(contestant, metrics=replace(contestant.metrics, **changes))


def test_a_better_model_is_promoted_and_the_reasons_hold_the_numbers() -> None:
    found = verdict(champion=CHAMPION)
    assert found.is_promoted
    assert "log_loss 0.5000 beats the baseline's 0.6000" in found.reasons
    assert any("gain +0.0100, at least the margin 0.0050" in reason for reason in found.reasons)


def test_without_a_champion_the_baseline_decides() -> None:
    assert verdict().is_promoted
    assert "there is no champion to beat" in verdict().reasons


@pytest.mark.parametrize("metric", ["log_loss", "brier", "roc_auc", "average_precision"])
@pytest.mark.parametrize("value", ["equal", "nan"])
def test_each_metric_alone_can_stop_a_promotion(metric: str, value: str) -> None:
    level = getattr(WORSE, metric) if value == "equal" else NAN
    for champion in (None, CHAMPION):
        found = verdict(with_metrics(CHALLENGER, **{metric: level}), champion=champion)
        assert not found.is_promoted
        assert any(reason.startswith(f"{metric} ") and "does not beat" in reason for reason in found.reasons)


@pytest.mark.parametrize("metric", ["log_loss", "brier", "roc_auc", "average_precision"])
def test_a_baseline_that_cannot_be_measured_promotes_nobody(metric: str) -> None:
    assert not verdict(baseline=with_metrics(BASELINE, **{metric: NAN})).is_promoted


@pytest.mark.parametrize(("gain", "is_promoted"), [(0.0051, True), (0.0049, False), (0.0, False), (-0.1, False)])
def test_the_champion_must_be_beaten_by_the_margin(gain: float, is_promoted: bool) -> None:
    champion = with_metrics(CHAMPION, log_loss=GOOD.log_loss + gain)
    assert verdict(champion=champion).is_promoted == is_promoted


@pytest.mark.parametrize("loss", [NAN, float("inf")])
def test_a_champion_that_cannot_be_measured_keeps_its_place(loss: float) -> None:
    assert not verdict(champion=with_metrics(CHAMPION, log_loss=loss)).is_promoted


@pytest.mark.parametrize("who", ["challenger", "champion"])
@pytest.mark.parametrize(
    ("seen_until", "is_fair"), [(CONTEST, False), (date(2024, 5, 1), False), (date(2024, 4, 19), True)]
)
def test_rows_that_a_contestant_was_made_from_void_the_contest(who: str, seen_until: date, is_fair: bool) -> None:
    contestants = {"challenger": CHALLENGER, "champion": CHAMPION}
    contestants[who] = replace(contestants[who], seen_until=seen_until)
    found = verdict(contestants["challenger"], champion=contestants["champion"])
    assert found.is_promoted == is_fair
    assert is_fair or any("not a fair test" in reason for reason in found.reasons)


@pytest.mark.parametrize("who", ["challenger", "baseline", "champion"])
def test_contestants_on_other_rows_are_not_compared(who: str) -> None:
    contestants = {"challenger": CHALLENGER, "baseline": BASELINE, "champion": CHAMPION}
    contestants[who] = with_metrics(contestants[who], rows=479)
    found = verdict(**contestants)
    assert not found.is_promoted
    assert "the contestants were not measured on the same rows" in found.reasons


def test_no_rows_at_all_promote_nobody() -> None:
    empty = Metrics(0, *[NAN] * 7)
    assert not verdict(replace(CHALLENGER, metrics=empty), replace(BASELINE, metrics=empty)).is_promoted


LOSSES = st.one_of(st.floats(0, 2), st.just(NAN))


@given(LOSSES, LOSSES, LOSSES, st.floats(0, 0.1))
def test_a_promotion_is_never_a_step_back(mine: float, theirs: float, champions: float, margin: float) -> None:
    """Whatever the numbers: who is promoted is better than the baseline and better than the champion by the margin."""
    found = verdict(
        with_metrics(CHALLENGER, log_loss=mine), with_metrics(BASELINE, log_loss=theirs),
        with_metrics(CHAMPION, log_loss=champions), margin,
    )  # fmt: skip
    assert found.is_promoted == (mine < theirs and champions - mine >= margin)
    assert found.reasons

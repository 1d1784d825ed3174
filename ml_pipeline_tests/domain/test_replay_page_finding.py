import math
from dataclasses import replace

import pytest

from ml_pipeline.domain.replay_page_finding import headline, lead, saved_share
from ml_pipeline.domain.replay_report import Interval
from ml_pipeline_tests.domain.synthetic_replay import synthetic_report

REPORT = synthetic_report(60)
SPACE = "\N{NO-BREAK SPACE}"


def with_saved(never: Interval | None, monthly: Interval | None = None):
    saved = {name: one for name, one in (("never", never), ("monthly", monthly)) if one is not None}
    years = tuple(
        replace(year, cost=1000.0, saved=saved if year.name == "drift" else year.saved) for year in REPORT.clean
    )
    return replace(REPORT, clean=years)


def told(never: Interval | None, monthly: Interval | None = None) -> str:
    return " ".join(headline(with_saved(never, monthly))).replace(SPACE, " ").replace("\N{MINUS SIGN}", "-")


def test_a_saving_is_told_with_its_interval() -> None:
    sentence = told(Interval(31, 10, 52, 0.95))
    assert "3.1 % less than" in sentence
    assert "(95 % interval 1.0 to 5.2 %)" in sentence
    assert "do not tell the two apart" not in sentence.split(".")[0]


def test_a_loss_is_told_as_more_with_the_interval_in_its_own_direction() -> None:
    sentence = told(Interval(-31, -52, -10, 0.9))
    assert "3.1 % more than" in sentence
    assert "(90 % interval 1.0 to 5.2 %)" in sentence


@pytest.mark.parametrize("saved", [Interval(4, -10, 18, 0.95), Interval(-4, -18, 10, 0.95), Interval(4, 0, 8, 0.95)])
def test_an_interval_with_zero_tells_nothing_apart(saved) -> None:
    first, _ = headline(with_saved(saved))
    assert "zero lies inside, so these nights do not tell the two apart" in first


@pytest.mark.parametrize(
    "saved", [None, Interval(math.nan, math.nan, math.nan, 0.95), Interval(3, math.nan, math.nan, 0.95)]
)
def test_without_an_interval_nothing_is_claimed(saved) -> None:
    assert "could not be compared" in told(saved)
    assert "less than" not in told(saved)


def test_the_rival_is_told_beside() -> None:
    _, beside = headline(with_saved(Interval(31, 10, 52, 0.95), Interval(-4, -18, 10, 0.95)))
    assert "Retrain monthly" in beside
    assert f"0.4{SPACE}% more" in beside


def test_the_lead_counts_incidents_by_what_they_were_taken_for() -> None:
    whole = synthetic_report()
    *_, last = lead(whole)
    assert "Of 4 injected incidents, 3 were noticed, 0 to 3 nights after they began, 2 as what they were" in last
    assert "not noticed: \N{LEFT DOUBLE QUOTATION MARK}No labels for ten nights" in last
    assert "(for drift)" in last


def test_a_share_is_of_the_other_policy_s_cost() -> None:
    report = with_saved(Interval(31, 10, 52, 0.95))
    assert saved_share(Interval(31, 10, 52, 0.95), report, "never") == pytest.approx(0.031)
    assert math.isnan(saved_share(None, report, "never"))

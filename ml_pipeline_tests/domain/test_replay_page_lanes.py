from dataclasses import replace

from ml_pipeline.domain.replay_page_lanes import area, drift_top, lane, services
from ml_pipeline.domain.replay_page_years import clean_years
from ml_pipeline_tests.domain.parsed_page import Parsed
from ml_pipeline_tests.domain.synthetic_replay import night_at, synthetic_report

REPORT = synthetic_report(100)
NEVER, MONTHLY, DRIFT, _ = clean_years(REPORT)


def test_services_follow_the_nights_so_a_rollback_and_a_fallback_are_seen() -> None:
    nights = list(NEVER.year.nights[:8])
    nights[2] = replace(nights[2], model_version="later")
    nights[5] = replace(nights[5], served_by="baseline")
    del nights[6]
    found = [(each.model_version, each.served_by, each.first, each.last) for each in services(nights)]
    assert found == [
        ("never_00", "champion", night_at(0), night_at(1)),
        ("later", "champion", night_at(2), night_at(2)),
        ("never_00", "champion", night_at(3), night_at(4)),
        ("never_00", "baseline", night_at(5), night_at(5)),
        ("never_00", "champion", night_at(7), night_at(7)),
    ]
    assert services(()) == ()


def test_a_lane_shows_each_decision_and_each_refused_model_once() -> None:
    parsed = Parsed(lane(MONTHLY, 0.5))
    kinds = [(one.get("class") or "").split() for _, one in parsed.tags]
    assert sum("refused" in kind for kind in kinds) == sum(not model.is_promoted for model in MONTHLY.year.models) == 1
    assert sum("mark" in kind for kind in kinds) == len(list(MONTHLY.decisions())) == 3
    assert "monthly_02 (train) refused on 2013-05-01: the interval of the cost includes zero" in parsed.text


def test_a_blocking_alarm_looks_unlike_an_advisory_one() -> None:
    nights = tuple(replace(night, verdict="alarm", severity="blocking") for night in DRIFT.year.nights[:2])
    assert lane(replace(DRIFT, year=replace(DRIFT.year, nights=nights)), 0.5).count('class="mark blocking"') == 2


def test_the_drift_strip_is_as_high_as_the_share() -> None:
    assert area((0.5, float("nan"), 1.0, 0.0), 40, 100, 1.0) == "M0 100v-20.0h1V100zM2 100v-40.0h1V100z"
    most = max(night.drifted_share for night in NEVER.year.nights)
    assert most <= drift_top([NEVER]) < most + 0.1
    assert drift_top([]) == 0.1

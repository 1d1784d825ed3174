from datetime import date

import pytest

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.decide import (
    DECISIONS,
    decide_retraining,
    newest_decision,
    open_request,
    rearm,
    stale_decisions,
)
from ml_pipeline.operations.promote import PROMOTIONS, current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.trainings import TRAININGS
from ml_pipeline.operations.watch import DRIFT
from ml_pipeline_tests.conftest import SHOP_SCORED, SHOP_TRAINED_ON
from ml_pipeline_tests.watched_nights import publish_broken_expectation, publish_costs, publish_drift

WATCHED = nights_between(SHOP_TRAINED_ON, date(2024, 5, 28))
LATE = nights_between(date(2024, 5, 17), WATCHED[-1])


def worse_than_the_baseline(site: Site) -> None:
    """Every night drifts, and each judged night costs a tenth more than the baseline would."""
    publish_drift(site, dict.fromkeys(WATCHED, 0.9))
    publish_costs(site, dict.fromkeys(WATCHED[4:], (1.1, 1.0)))


def test_calm_nights_ask_for_nothing_and_say_why(scored_shop: Site) -> None:
    rows = scored_shop.tables.read(DECISIONS, SHOP_SCORED).to_pylist()
    drift = scored_shop.tables.read(DRIFT, SHOP_SCORED).to_pandas()
    shares = drift.groupby("score_date")["is_drifted"].mean()
    assert [row["score_date"] for row in rows] == list(SHOP_SCORED)
    assert all(row["drifted_share"] == pytest.approx(shares[row["score_date"]]) for row in rows)
    assert all(row["verdict"] == "nothing" and "of the features drifted" in row["reasons"] for row in rows)
    assert all(row["cost_saving"] is None and "saving is missing" in row["reasons"] for row in rows)


def test_harm_that_persists_is_asked_about_once_and_its_request_stays_open(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    worse_than_the_baseline(site)
    decide_retraining(site, LATE)
    rows = {row["score_date"]: row for row in site.tables.read(DECISIONS, LATE).to_pylist()}
    asked = [night for night, row in rows.items() if row["verdict"] == "retrain"]
    # 14 matured nights end on 22 May (the first is judged on the 9th); three of them must speak.
    first = date(2024, 5, 24)
    assert asked == [first]
    version = current_champion(site)
    assert rows[first]["evidence_id"] == f"retrain_{version}_2024-05-22_2024-05-24"
    assert rows[first]["cost_saving"] == pytest.approx(-0.1)
    assert (rows[first]["matured_rows"], rows[first]["last_trained"]) == (40, SHOP_TRAINED_ON)
    assert newest_decision(site) == rows[LATE[-1]]
    request = open_request(site)
    assert request is not None
    assert (request.night, request.act, request.evidence_id) == (first, "retrain", rows[first]["evidence_id"])


def test_nights_alone_are_decided_as_in_their_range_and_again_commits_nothing(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    worse_than_the_baseline(site)
    for night in LATE:
        decide_retraining(site, [night])
    alone = site.tables.read(DECISIONS, LATE)
    assert decide_retraining(site, LATE).changed == ()
    assert site.tables.read(DECISIONS, LATE).equals(alone)
    assert stale_decisions(site, SHOP_SCORED) == list(SHOP_SCORED)


def test_a_training_as_of_the_night_answers_the_request_and_starts_the_cool_down(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    worse_than_the_baseline(site)
    decide_retraining(site, LATE)
    site.ledger(TRAININGS).append({"version": "new", "trained_on": "2024-05-24"})
    assert open_request(site) is None
    assert stale_decisions(site, nights_between(LATE[0], date(2024, 5, 24))) == []
    decide_retraining(site, LATE)
    last = newest_decision(site)
    assert last is not None
    assert (last["verdict"], last["last_trained"]) == ("nothing", date(2024, 5, 24))


def test_bad_data_are_an_alarm_raised_once_and_never_a_retraining(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    worse_than_the_baseline(site)
    publish_broken_expectation(site, date(2024, 5, 24))
    decide_retraining(site, LATE)
    decide_retraining(site, LATE)
    rows = {row["score_date"]: row for row in site.tables.read(DECISIONS, LATE).to_pylist()}
    assert [night for night, row in rows.items() if row["verdict"] == "alarm"] == [date(2024, 5, 24)]
    assert [row["verdict"] for row in rows.values() if row["verdict"] == "retrain"] == []
    assert "scores row_count is 10.0, not within 20.0 to 80.0" in rows[date(2024, 5, 24)]["reasons"]
    (alert,) = site.ledger("alerts").entries()
    assert (alert["severity"], alert["title"], alert["night"]) == ("advisory", "data are bad", "2024-05-24")


def test_challengers_that_are_refused_in_a_row_call_a_person_who_may_rearm(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    worse_than_the_baseline(site)
    champion = current_champion(site)
    for day in (18, 19, 20):
        site.ledger(PROMOTIONS).append({
            "kind": "verdict", "challenger": f"c{day}", "champion_before": champion, "judged_on": f"2024-05-{day}",
            "effective_from": "2024-05-29", "is_promoted": False, "reasons": [], "numbers": {},
        })  # fmt: skip
    decide_retraining(site, LATE)
    rows = site.tables.read(DECISIONS, LATE).to_pylist()
    assert [row["verdict"] for row in rows] == ["nothing"] * 4 + ["alarm"] * 8
    assert {row["evidence_id"] for row in rows[4:]} == {"breaker_2024-05-20"}
    alerts = site.ledger("alerts").entries()
    assert {(alert["severity"], alert["title"]) for alert in alerts} == {
        ("blocking", "challengers are refused in a row")
    }
    with pytest.raises(ValueError, match="needs a reason"):
        rearm(site, reason=" ", night=LATE[-1])
    rearm(site, reason="the label was wrong until yesterday", night=LATE[-1])
    decide_retraining(site, LATE)
    assert [row["verdict"] for row in site.tables.read(DECISIONS, LATE[-2:]).to_pylist()] == ["alarm", "retrain"]


def test_a_decision_does_not_look_at_later_nights(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    publish_drift(site, dict.fromkeys(LATE, 0.9))
    publish_costs(site, dict.fromkeys(LATE, (9.0, 1.0)))
    assert decide_retraining(site, SHOP_SCORED).changed == ()


def test_a_night_that_was_not_watched_cannot_be_decided(scored_shop: Site) -> None:
    with pytest.raises(LookupError, match="monitoring has not been built for 1 of the nights"):
        decide_retraining(scored_shop, [LATE[0]])


def test_before_the_first_decision_there_is_none(built_shop: Site) -> None:
    assert newest_decision(built_shop) is None
    assert open_request(built_shop) is None

import json
import math
from datetime import date

import pytest

from ml_pipeline.domain.policy_record import GateJudgement
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.policy_evidence import REARMED, read_history, read_record
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.trainings import TRAININGS
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON
from ml_pipeline_tests.watched_nights import publish_broken_expectation, publish_costs, publish_drift

WATCHED = nights_between(SHOP_TRAINED_ON, date(2024, 5, 28))


def judgement(challenger: str, night: str | None, **facts: object) -> dict[str, object]:
    return {"kind": "verdict", "challenger": challenger, "champion_before": "c0", "judged_on": night, "effective_from": "2024-05-09",
            "is_promoted": False, **facts}  # fmt: skip


def test_the_record_tells_trainings_from_recalibrations_and_refusals_from_what_is_none(shop_site: Site) -> None:
    for version, night in (("grown", "2024-05-01"), ("fitted", "2024-05-03")):
        shop_site.ledger(TRAININGS).append({"version": version, "trained_on": night})
    folder = shop_site.models / "fitted"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"recalibrated_from": "grown", "files": {"model.txt": "0" * 64}}))
    for entry in (
        judgement("c1", "2024-05-02"), judgement("c0", "2024-05-04"), judgement("c2", "2024-05-05", kind="no_comparison"),
        judgement("c3", "2024-05-06"), judgement("c4", None, kind="override", is_promoted=True),
        judgement("c3", "2024-05-10", kind="second_look", numbers={"look": 1}), judgement("c4", "2024-05-11", kind="probation"),
        judgement("c0", "2024-05-12", kind="rollback", is_promoted=True),
        judgement("c3", "2024-05-13", kind="second_look", is_promoted=True),
        judgement("c0", None, kind="rollback", is_promoted=True, effective_from="2024-05-14"),
    ):  # fmt: skip
        shop_site.ledger(PROMOTIONS).append(entry)
    shop_site.ledger(REARMED).append({"night": "2024-05-04", "reason": "r"})
    record = read_record(shop_site)
    assert (record.trained, record.recalibrated) == ((date(2024, 5, 1),), (date(2024, 5, 3),))
    assert [(each.night.day, each.is_promoted) for each in record.judgements] == [
        (2, False), (3, True), (6, False), (9, True), (13, True), (14, True)
    ]  # fmt: skip
    # c1 and c3 were refused beside a champion, c3 until a person promoted c4; c0 is the champion itself.
    assert [(case.refused_on.day, case.settled_on and case.settled_on.day) for case in record.cases] == [(2, 3), (6, 9)]
    # From the night that it names on: the rearming is known to that night, and not to the one before.
    assert record.before(date(2024, 5, 3)).rejected_in_a_row() == (date(2024, 5, 2),)
    assert record.before(date(2024, 5, 4)).judgements[-1] == GateJudgement(date(2024, 5, 3), True)


def test_a_tick_holds_what_was_published_and_calls_missing_what_was_not(scored_shop_copy: Site) -> None:
    site, last = scored_shop_copy, WATCHED[-1]
    publish_drift(site, dict.fromkeys(WATCHED, 0.5))
    publish_costs(site, dict.fromkeys(WATCHED[4:], (0.8, 1.0)))
    bad = nights_back(last, 6)
    publish_costs(site, {nights_back(bad, -site.project.label.horizon_nights): (50.0, 1.0)})
    publish_broken_expectation(site, bad)
    history = read_history(site, [last])[last]
    assert [tick.night for tick in history] == list(WATCHED)
    by_night = {tick.night: tick for tick in history}
    assert by_night[last].drifted_share == pytest.approx(0.5)
    # A night of bad data is judged, but its costs are no evidence, and its labels do not count as new ones.
    assert by_night[last].cost_saving == pytest.approx(0.2)
    assert by_night[nights_back(bad, -site.project.label.horizon_nights)].matured_rows == 0
    assert by_night[bad].bad_data == ("scores row_count is 10.0, not within 20.0 to 80.0",)
    early = by_night[WATCHED[2]]
    assert (math.isnan(early.cost_saving), math.isnan(early.gap_low), early.matured_rows) == (True, True, 0)


def test_a_fault_of_two_features_in_ten_is_borne_and_one_of_three_makes_the_night_bad(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, WATCHED[-1]
    publish_drift(site, {night: 0.5}, faulty=2)
    assert read_history(site, [night])[night][-1].bad_data == ()
    publish_drift(site, {night: 0.5}, faulty=3)
    (told,) = read_history(site, [night])[night][-1].bad_data
    assert told == "3 of 10 features have a fault, 20% are the limit; f0: broken"

from datetime import date

from ml_pipeline.domain.policy_record import GateJudgement, PolicyRecord, Request, ShadowCase

MAY_1, MAY_5, MAY_9 = date(2024, 5, 1), date(2024, 5, 5), date(2024, 5, 9)


def test_a_night_knows_only_what_lies_before_it() -> None:
    record = PolicyRecord(
        (MAY_1, MAY_5), (MAY_5,), (Request(MAY_5, "retrain", "e"),), (GateJudgement(MAY_1, False), GateJudgement(MAY_5, True))
    )  # fmt: skip
    assert record.before(MAY_5) == PolicyRecord((MAY_1,), (), (), (GateJudgement(MAY_1, False),))
    assert record.before(MAY_9) == record


def test_refusals_are_counted_from_the_last_promotion_on() -> None:
    said = [(MAY_1, False), (MAY_1, True), (MAY_5, False), (MAY_9, False)]
    assert PolicyRecord(judgements=tuple(GateJudgement(*one) for one in said)).rejected_in_a_row() == (MAY_5, MAY_9)
    assert PolicyRecord().rejected_in_a_row() == ()


def test_a_request_is_open_until_a_model_is_made_as_of_its_night_or_later() -> None:
    asked = Request(MAY_5, "retrain", "e")
    assert PolicyRecord(trained=(MAY_1,), requests=(asked,)).open_request() == asked
    assert PolicyRecord(trained=(MAY_5,), requests=(asked,)).open_request() is None
    assert PolicyRecord(recalibrated=(MAY_9,), requests=(asked,)).open_request() is None
    assert PolicyRecord().open_request() is None


def test_a_training_cools_a_recalibration_down_and_not_the_other_way_round() -> None:
    record = PolicyRecord(trained=(MAY_1,), recalibrated=(MAY_5,), requests=(Request(MAY_9, "recalibrate", "e"),))
    assert (record.last_begun("retrain"), record.last_begun("recalibrate")) == (MAY_1, MAY_9)
    assert PolicyRecord(trained=(MAY_5,)).last_begun("recalibrate") == MAY_5
    assert PolicyRecord().last_begun("retrain") is None


def test_a_refused_challenger_is_waited_for_until_its_last_look_and_not_for_ever() -> None:
    record = PolicyRecord(cases=(ShadowCase(MAY_1, MAY_9, MAY_5),))
    assert record.before(MAY_1).open_case(MAY_1) is None
    # On the night of the look its answer is not known yet.
    assert record.before(MAY_5).open_case(MAY_5) == ShadowCase(MAY_1, MAY_9)
    assert record.before(MAY_9).open_case(MAY_9) is None
    lapsed = PolicyRecord(cases=(ShadowCase(MAY_1, MAY_5),))
    assert lapsed.before(MAY_5).open_case(MAY_5) == ShadowCase(MAY_1, MAY_5)
    assert lapsed.before(MAY_9).open_case(MAY_9) is None

import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.policy import PolicyContract
from ml_pipeline.contracts.project import MonitoringContract
from ml_pipeline.domain.policy import PolicyVerdict, Tick, decide
from ml_pipeline.domain.policy_record import GateJudgement, PolicyRecord, Request
from ml_pipeline.nights import Night, nights_back

MONITORING = MonitoringContract(
    window_nights=7, psi_limit=0.25, drifted_share_limit=0.4, persistence_nights=3, cool_down_nights=14,
    report_weekday=6, report_rows=200, report_features=8,
)  # fmt: skip
POLICY = PolicyContract(of_nights=5, min_matured_nights=10, min_matured_rows=100)
FIRST = date(2024, 5, 1)
TRAINED = PolicyRecord(trained=(nights_back(FIRST, 1),))
STRENGTH = {"nothing": 0, "recalibrate": 1, "retrain": 2}


def tick(day: int, **facts: object) -> Tick:
    night = nights_back(FIRST, -day)
    return replace(Tick(night, "m1", (), 0.1, 20, 0.1, -0.01, 0.01), **facts)  # type: ignore[arg-type]


def nights(count: int, **facts: object) -> list[Tick]:
    """``count`` calm nights, of which the last four have ``facts``."""
    return [tick(day, **(facts if day >= count - 4 else {})) for day in range(count)]


def judged(history: list[Tick], record: PolicyRecord = TRAINED, policy: PolicyContract = POLICY) -> PolicyVerdict:
    return decide(policy, MONITORING, history, record)


HARM = {"cost_saving": -0.05}
OFF = {"gap_low": 0.03, "gap_high": 0.06}
WEAK = {"cost_saving": 0.02}
DRIFT = {"drifted_share": 0.9}


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, "nothing"), (HARM, "retrain"), (OFF, "recalibrate"), (HARM | OFF, "retrain"), (DRIFT, "nothing"), (WEAK, "nothing"),
        (DRIFT | WEAK, "retrain"), ({"gap_low": -0.06, "gap_high": -0.03}, "recalibrate"), ({"gap_low": -0.01, "gap_high": 0.06}, "nothing"),
        ({"drifted_share": math.nan, "cost_saving": math.nan, "gap_low": math.nan, "gap_high": math.nan}, "nothing"),
    ],
)  # fmt: skip
def test_each_evidence_has_its_act(facts: dict[str, float], verdict: str) -> None:
    found = judged(nights(20, **facts))
    assert found.verdict == verdict
    assert bool(found.evidence_id) == bool(found.evidence_nights) == (verdict != "nothing")
    assert found.reasons


def test_missing_evidence_is_called_missing() -> None:
    found = judged(nights(20, drifted_share=math.nan, cost_saving=math.nan, gap_low=math.nan, gap_high=math.nan))
    assert [reason for reason in found.reasons if "missing" in reason] == [
        "drift is missing, 40% is the limit", "saving is missing", "calibration is missing", "estimates are missing"
    ]  # fmt: skip


def test_nights_that_a_lower_rung_answered_are_counted_in_the_reasons() -> None:
    told = "3 judged nights are left out: a lower rung than the champion answered them"
    assert told in judged(nights(20, fallback_nights=3)).reasons
    assert not any("left out" in reason for reason in judged(nights(20)).reasons)


@pytest.mark.parametrize(
    ("history", "record", "hindrance"),
    [
        ([*nights(20), tick(20, **HARM)], TRAINED, "not persistent, 1 of the last 5 nights"),
        (nights(20, **HARM), PolicyRecord(trained=(nights_back(FIRST, -6),)), "cooling down, 13 of 14 nights"),
        (nights(9, **HARM), PolicyRecord(trained=(nights_back(FIRST, 60),)), "too few new labels, 9 nights and 180 rows"),
        ([replace(one, matured_rows=1) for one in nights(20, **HARM)], TRAINED, "20 nights and 20 rows"),
        (nights(20, **HARM), replace(TRAINED, requests=(Request(nights_back(FIRST, -10), "recalibrate", "e1"),)), "e1 was asked for"),
    ],
)  # fmt: skip
def test_each_hindrance_is_named(history: list[Tick], record: PolicyRecord, hindrance: str) -> None:
    found = judged(history, record)
    assert found.verdict == "nothing"
    assert hindrance in " | ".join(found.reasons)


WORSE = {"is_estimate_trusted": True, "estimated_log_loss": 0.66, "promised_log_loss": 0.58, "estimated_saving": 0.2}
FUTILE = {"is_estimate_trusted": True, "estimated_log_loss": 0.5, "promised_log_loss": 0.58, "estimated_saving": 0.01}


@pytest.mark.parametrize("warning", [WORSE, FUTILE])
def test_a_trusted_estimate_asks_for_proof_earlier_and_never_acts_alone(warning: dict[str, object]) -> None:
    assert judged(nights(20, **WEAK, **warning)).verdict == "retrain"
    assert judged(nights(20, **warning)).verdict == "nothing"
    unproven = judged(nights(20, **warning, cost_saving=math.nan))
    assert unproven.verdict == "nothing"
    assert "worse than promised is expected: proof is asked for earlier" in unproven.reasons


def test_an_estimate_that_was_wrong_lately_is_switched_off_and_says_so() -> None:
    off = {"is_estimate_trusted": False, "estimate_reasons": ("estimates are switched off for decisions", "by +0.2")}
    found = judged(nights(20, **WEAK, **(WORSE | off)))
    assert found.verdict == "nothing"
    assert "estimates are switched off for decisions; by +0.2" in found.reasons


@pytest.mark.parametrize("missing", ["estimated_log_loss", "promised_log_loss"])
def test_an_estimate_that_is_missing_warns_of_nothing(missing: str) -> None:
    assert judged(nights(20, **WEAK, **(WORSE | {missing: math.nan}))).verdict == "nothing"


def test_k_of_n_nights_need_not_be_one_stretch() -> None:
    history = [*nights(17), tick(17, **HARM), tick(18), tick(19, **HARM), tick(20), tick(21, **HARM)]
    found = judged(history)
    assert found.verdict == "retrain"
    assert found.evidence_nights == tuple(nights_back(FIRST, -day) for day in (17, 19, 21))
    assert judged([*history, tick(22)]).verdict == "nothing"


def test_evidence_against_the_model_before_is_none_against_the_new_one() -> None:
    old = [replace(one, model_version="old") for one in nights(20, **HARM)]
    assert judged([*old, tick(20, **HARM)]).verdict == "nothing"


def test_bad_data_is_an_alarm_and_one_stretch_of_it_has_one_name() -> None:
    bad = [tick(day, bad_data=("half of a column is gone",), **HARM) for day in (20, 21, 22)]
    found = [judged([*nights(20), *bad[: 1 + count]]) for count in range(3)]
    assert {(one.verdict, one.evidence_id) for one in found} == {("alarm", f"bad_data_{bad[0].night}")}
    assert "half of a column is gone" in found[0].reasons


def test_nights_whose_window_holds_bad_data_do_not_speak() -> None:
    """A broken feed moves the drift of every window that it lies in; the first clean window is seven nights later."""
    history = [tick(day, **HARM) for day in range(40)]
    history[20] = replace(history[20], bad_data=("half of a column is gone",))
    verdicts = [judged(history[: last + 1]).verdict for last in range(40)]
    assert verdicts[19:] == ["retrain", "alarm", *["nothing"] * 8, *["retrain"] * 11]
    assert "bad data on 2024-05-21 still lies in the window" in judged(history[:25]).reasons


def test_the_breaker_opens_after_so_many_refusals_and_a_promotion_closes_it() -> None:
    refused = tuple(GateJudgement(nights_back(FIRST, -day), False) for day in (1, 2, 3))
    record = replace(TRAINED, judgements=refused)
    found = judged(nights(20, **HARM), record)
    assert (found.verdict, found.severity) == ("alarm", "blocking")
    assert found.evidence_id == f"breaker_{refused[-1].night}"
    closed = replace(record, judgements=(*refused, GateJudgement(nights_back(FIRST, -4), True)))
    assert judged(nights(20, **HARM), closed).verdict == "retrain"
    assert judged(nights(20, **HARM), replace(record, judgements=refused[:2])).verdict == "retrain"


def replayed(history: list[Tick], *, is_promoted: bool, policy: PolicyContract = POLICY) -> list[PolicyVerdict]:
    """Decide night by night; each act is answered by a model as of its night, which the gate promotes or refuses."""
    record, found = TRAINED, []
    monitoring = MONITORING.model_copy(update={"cool_down_nights": 2})
    for last in range(len(history)):
        verdict = decide(policy, monitoring, history[: last + 1], record)
        found.append(verdict)
        night = history[last].night
        if verdict.verdict in STRENGTH and verdict.verdict != "nothing":
            asked = Request(night, verdict.verdict, verdict.evidence_id)  # type: ignore[arg-type]
            made = (
                {"trained": (*record.trained, night)}
                if asked.act == "retrain"
                else {"recalibrated": (*record.recalibrated, night)}
            )
            record = replace(
                record, requests=(*record.requests, asked), judgements=(*record.judgements, GateJudgement(night, is_promoted)),
                **made,
            )  # fmt: skip
    return found


@given(st.integers(1, 30), st.integers(1, 7), st.sampled_from([1, 10]), st.booleans())
def test_sixty_nights_of_constant_harm_retrain_at_most_once_a_cool_down(
    cool_down: int, needed: int, matured: int, is_promoted: bool
) -> None:
    policy = POLICY.model_copy(update={"min_matured_nights": matured, "min_matured_rows": matured})
    monitoring = MONITORING.model_copy(update={"cool_down_nights": cool_down, "persistence_nights": needed})
    history = [tick(day, **HARM, **DRIFT) for day in range(60)]
    record, acts = TRAINED, []
    for last in range(60):
        found = decide(policy, monitoring, history[: last + 1], record)
        if found.verdict == "retrain":
            night = history[last].night
            acts.append(found)
            record = PolicyRecord(
                (*record.trained, night), (), (*record.requests, Request(night, "retrain", found.evidence_id)),
                (*record.judgements, GateJudgement(night, is_promoted)),
            )  # fmt: skip
    assert 1 <= len(acts) <= math.ceil(60 / cool_down)
    if not is_promoted:
        assert len(acts) <= POLICY.max_rejected
    spoken = [night for act in acts for night in act.evidence_nights]
    assert len(spoken) == len(set(spoken))
    assert len({act.evidence_id for act in acts}) == len(acts)


def test_the_same_tick_evaluated_a_hundred_times_is_one_request() -> None:
    """Also when the request and its answer have been recorded meanwhile: a night does not see its own answer."""
    history = nights(20, **HARM)
    first = judged(history)
    night = history[-1].night
    later = PolicyRecord(
        (*TRAINED.trained, night), (), (Request(night, "retrain", first.evidence_id),), (GateJudgement(night, False),)
    )
    assert {judged(history, record) for record in [TRAINED, later] * 50} == {first}


_NUMBER = st.sampled_from([math.nan, -0.05, -0.05, -0.05, 0.02, 0.1])
_TICK = st.builds(
    lambda share, saving, low, rows, bad, version: {
        "drifted_share": share, "cost_saving": saving, "gap_low": low, "gap_high": low + 0.01, "matured_rows": rows,
        "bad_data": ("broken",) if bad else (), "model_version": version, "is_estimate_trusted": rows == 40,
        "estimated_log_loss": 0.6 + low, "promised_log_loss": 0.58, "estimated_saving": saving,
    },
    st.sampled_from([math.nan, 0.1, 0.9]), _NUMBER, _NUMBER, st.sampled_from([0, 5, 40]), st.sampled_from([False] * 9 + [True]),
    st.sampled_from(["m1"] * 9 + ["m2"]),
)  # fmt: skip
_HISTORY = st.lists(_TICK, min_size=1, max_size=40).map(
    lambda drawn: [tick(day, **facts) for day, facts in enumerate(drawn)]
)


@given(_HISTORY, st.booleans())
def test_whatever_comes_bad_data_never_leads_to_an_act_and_no_night_speaks_twice(
    history: list[Tick], is_promoted: bool
) -> None:
    policy = POLICY.model_copy(update={"min_matured_nights": 1, "min_matured_rows": 1, "open_nights": 1})
    found = replayed(history, is_promoted=is_promoted, policy=policy)
    bad = {one.night for one in history if one.bad_data}
    spoken: list[Night] = []
    for one, verdict in zip(history, found, strict=True):
        assert verdict.reasons
        if verdict.verdict not in {"retrain", "recalibrate"}:
            continue
        spoken.extend(verdict.evidence_nights)
        for night in (one.night, *verdict.evidence_nights):
            assert not bad & {nights_back(night, back) for back in range(MONITORING.window_nights)}
    assert len(spoken) == len(set(spoken))


@given(_HISTORY, st.data())
def test_stronger_evidence_never_gives_a_weaker_verdict(history: list[Tick], data: st.DataObject) -> None:
    policy = POLICY.model_copy(update={"min_matured_nights": 2, "min_matured_rows": 10})
    calm = [replace(one, bad_data=()) for one in history]
    place = data.draw(st.integers(0, len(calm) - 1))
    stronger = [*calm]
    stronger[place] = replace(
        calm[place], drifted_share=0.95, cost_saving=min(-0.06, calm[place].cost_saving), gap_low=0.3, gap_high=0.4,
        matured_rows=calm[place].matured_rows + 50,
    )  # fmt: skip
    before, after = judged(calm, policy=policy).verdict, judged(stronger, policy=policy).verdict
    assert STRENGTH[after] >= STRENGTH[before]

"""No act is ever asked for before the night that the horizon names, whatever is measured until then."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.policy import PolicyContract
from ml_pipeline.contracts.project import MonitoringContract
from ml_pipeline.domain.policy import Tick, decide
from ml_pipeline.domain.policy_horizon import earliest_act
from ml_pipeline.domain.policy_record import GateJudgement, PolicyRecord, Request, ShadowCase

FIRST = date(2024, 1, 1)
MONITORING = MonitoringContract(
    window_nights=3, psi_limit=0.2, drifted_share_limit=0.5, persistence_nights=3, cool_down_nights=8, report_weekday=0,
    report_rows=100, report_features=3,
)  # fmt: skip
POLICY = PolicyContract(of_nights=5, min_matured_nights=2, min_matured_rows=10, open_nights=6, max_rejected=2)

nights = st.integers(0, 30).map(lambda days: FIRST + timedelta(days=days))
numbers = st.sampled_from([float("nan"), -0.2, 0.0, 0.2])


@st.composite
def ticks(draw: st.DrawFn, count: int = 60) -> list[Tick]:
    saving = draw(
        st.lists(st.tuples(numbers, numbers, st.booleans(), st.integers(0, 20)), min_size=count, max_size=count)
    )
    return [
        Tick(
            FIRST + timedelta(days=day), "m1", ("a broken feed",) if is_bad and day % 7 == 0 else (), 0.1, rows, save,
            gap - 0.01, gap + 0.01,
        )
        for day, (save, gap, is_bad, rows) in enumerate(saving)
    ]  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> PolicyRecord:
    trained = sorted(draw(st.lists(nights, max_size=2)))
    recalibrated = sorted(draw(st.lists(nights, max_size=2)))
    asked = sorted(draw(st.lists(st.tuples(nights, st.sampled_from(["retrain", "recalibrate"])), max_size=2)))
    judged = sorted(draw(st.lists(st.tuples(nights, st.booleans()), max_size=3)))
    return PolicyRecord(
        tuple(trained), tuple(recalibrated), tuple(Request(night, act, "e") for night, act in asked),
        tuple(GateJudgement(night, promoted) for night, promoted in judged),
        tuple(ShadowCase(night, night + timedelta(days=12), None if is_open else night + timedelta(days=5))
              for night, is_open in sorted(draw(st.lists(st.tuples(nights, st.booleans()), max_size=2)))),
    )  # fmt: skip


@given(ticks(), records(), st.integers(0, 30))
def test_no_act_before_the_horizon(history: list[Tick], record: PolicyRecord, tonight: int) -> None:
    known = record.before(FIRST + timedelta(days=tonight + 1))
    earliest = earliest_act(POLICY, MONITORING, history[: tonight + 1], known)
    assert earliest > history[tonight].night
    for upto in range(tonight + 1, len(history)):
        verdict = decide(POLICY, MONITORING, history[: upto + 1], known)
        if verdict.verdict in ("retrain", "recalibrate"):
            assert history[upto].night >= earliest
            return


def test_acts_on_the_very_night_where_every_night_speaks() -> None:
    history = [Tick(FIRST + timedelta(days=day), "m1", (), 0.1, 20, -0.5) for day in range(20)]
    record = PolicyRecord(trained=(FIRST,))
    first = next(
        tick.night
        for upto, tick in enumerate(history)
        if decide(POLICY, MONITORING, history[: upto + 1], record).verdict == "retrain"
    )
    assert first == FIRST + timedelta(days=MONITORING.cool_down_nights)
    assert earliest_act(POLICY, MONITORING, history[:5], record) == first


def test_never_after_too_many_refusals() -> None:
    history = [Tick(FIRST + timedelta(days=day), "m1", (), 0.1, 20, -0.5) for day in range(20)]
    record = PolicyRecord(judgements=(GateJudgement(FIRST, False), GateJudgement(FIRST, False)))
    assert earliest_act(POLICY, MONITORING, history, record) == date.max

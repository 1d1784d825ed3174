"""A loss of power under the real server and daemon: three nights were missed, one start fills them in order.

The shop's days are moved so that tonight is one of its nights. The schedule was turned on days ago and nothing ran since;
the first run that it asks for is cut off with everything else; the next start has to bring all nights to their end.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.scheduler.instigation import ScheduleInstigatorData

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.decide import DECISIONS, decide_retraining
from ml_pipeline.operations.expect import judge_expectations
from ml_pipeline.operations.mature import measure_performance
from ml_pipeline.operations.matured_calibration import measure_matured_calibration
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.watch import measure_drift
from ml_pipeline_tests.faults.bench import Bench, build_shop
from ml_pipeline_tests.faults.killing import UNENDED, instance_of, not_in_order
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.served import Server, start

_START = """mutation { startSchedule(scheduleSelector: {repositoryLocationName: "ml_pipeline", repositoryName: "__repository__",
  scheduleName: "nightly"}) { __typename } }"""
_LAUNCH = """mutation Launch($night: String!) { launchRun(executionParams: {
  selector: {repositoryLocationName: "ml_pipeline", repositoryName: "__repository__", jobName: "nightly_scoring"}, mode: "default",
  executionMetadata: {tags: [{key: "dagster/partition", value: $night}]}}) { __typename } }"""
_TONIGHT, _HOLE, _DONE_UNTIL = date(2024, 5, 20), date(2024, 5, 14), date(2024, 5, 16)
_WAITED_SECONDS = 900
_ENDS_WITHIN_SECONDS = 60


@dataclass
class Watch:
    """What was seen while waiting: the most runs that worked at once, and each run with the nights that it is of."""

    site: Site
    most: int = 0

    def wait(self, what: str, is_so: Callable[[], bool], seconds: float = _WAITED_SECONDS) -> list[str]:
        """Look twice a second until ``is_so``; in words if that did not come."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with instance_of(self.site) as instance:
                working = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
            self.most = max(self.most, len(working))
            if is_so():
                return []
            time.sleep(0.5)
        return [f"{what}: not within {seconds:.0f} s"]


def lose_power(bench: Bench) -> tuple[Outcome, ...]:
    """Rounds of a whole installation each: missed nights, power loss, one start; then a worker is killed under the daemon."""
    rounds = bench.trials(full=3, quick=1)
    trees: list[str] = []
    missed: list[str] = []
    workers: list[str] = []
    nights = 0
    for number in range(rounds):
        site, moved = _shop_of_today(bench.inside(str(number)))
        wanted = [_HOLE + moved, *nights_between(_DONE_UNTIL + timedelta(days=1) + moved, _TONIGHT + moved)]
        nights += len(wanted)
        for found, words in ((trees, _power_loss(site)), (missed, _one_start(site, wanted, workers, number))):
            found += [f"round {number}: {told}" for told in words]
        bench.tell(number + 1, rounds, len(trees) + len(missed) + len(workers))
    return (
        Outcome(
            9, "SIGKILL of server, daemon, code servers and run at once; one start converges", rounds, tuple(trees)
        ),
        Outcome(9, "SIGKILL of a run worker under the real daemon", rounds, tuple(workers)),
        Outcome(
            19, "nights missed while the daemon was down, filled in order by the first start", nights, tuple(missed)
        ),
    )


def _shop_of_today(bench: Bench) -> tuple[Site, timedelta]:
    """A shop whose night _TONIGHT is the night of the newest tick; all earlier ones but four are finished."""
    berlin = datetime.now(ZoneInfo("Europe/Berlin"))
    ticked = berlin.date() if (berlin.hour, berlin.minute) >= (20, 5) else berlin.date() - timedelta(days=1)
    moved = ticked + timedelta(days=1) - _TONIGHT
    site = build_shop(bench.folder, moved=moved)
    nights = nights_between(date(2024, 5, 13) + moved, _DONE_UNTIL + moved)
    score(site, nights)
    measure_performance(site, nights)
    measure_matured_calibration(site, nights)
    measure_drift(site, nights)
    judge_expectations(site, nights)
    decide_retraining(site, [night for night in nights if night != _HOLE + moved])
    return site, moved


def _power_loss(site: Site) -> list[str]:
    """Turn the schedule on, as of four days ago; let its first run begin; cut everything off."""
    server = start(site.sql.folder, site.data, "--no-daemon")
    assert server.graphql(_START)["startSchedule"]["__typename"] == "ScheduleStateResult"
    server.kill_tree()
    _turned_on_days_ago(site)
    server, watch = start(site.sql.folder, site.data), Watch(site)
    wrong = watch.wait("the first run", lambda: bool(_runs(site, [dg.DagsterRunStatus.STARTED])))
    time.sleep(2)
    server.kill_tree()
    stuck = _runs(site, UNENDED)
    return wrong + ([] if stuck else ["nothing was cut off"])


def _turned_on_days_ago(site: Site) -> None:
    with instance_of(site) as instance:
        (state,) = [one for one in instance.all_instigator_state() if one.name == "nightly"]
        then = (datetime.now(UTC) - timedelta(days=4)).timestamp()
        data = state.instigator_data
        assert isinstance(data, ScheduleInstigatorData)
        instance.update_instigator_state(state.with_data(ScheduleInstigatorData(data.cron_schedule, then)))


def _one_start(site: Site, wanted: list[date], workers: list[str], number: int) -> list[str]:
    server, watch = start(site.sql.folder, site.data), Watch(site)
    wrong = watch.wait(
        "every missed night decided and every run ended",
        lambda: set(wanted) <= set(site.tables.published(DECISIONS)) and not _runs(site, UNENDED),
    )
    wrong += [f"not decided: {night}" for night in sorted(set(wanted) - set(site.tables.published(DECISIONS)))]
    wrong += [f"{watch.most} runs worked at once"] if watch.most > 1 else []
    wrong += _out_of_order(site)
    workers += [f"round {number}: {words}" for words in _killed_worker(server, watch, wanted[-1])]
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=120)
    return wrong + not_in_order(site)


def _out_of_order(site: Site) -> list[str]:
    """Runs that ended well, as they began: their first nights must rise."""
    with instance_of(site) as instance:
        records = instance.get_run_records(
            dg.RunsFilter(job_name="nightly_scoring", statuses=[dg.DagsterRunStatus.SUCCESS])
        )
    began = sorted((record.start_time or 0.0, record.dagster_run.tags["night"][:10]) for record in records)
    nights = [night for _, night in began]
    return [] if nights == sorted(nights) else [f"nights were filled in the order {nights}"]


def _killed_worker(server: Server, watch: Watch, night: date) -> list[str]:
    """Kill the process of a run that has begun; it must be recorded as ended, and the night must run again."""
    site, before = watch.site, len(_runs(watch.site, [dg.DagsterRunStatus.SUCCESS]))
    server.ask_graphql(_LAUNCH, night=str(night))
    wrong = watch.wait("a run to kill", lambda: bool(_worker(site)), 120)
    if worker := _worker(site):
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
    wrong += watch.wait("the end of the killed run", lambda: not _runs(site, UNENDED), _ENDS_WITHIN_SECONDS)
    wrong += watch.wait("its slots to be free", lambda: not _held(site), 2 * _ENDS_WITHIN_SECONDS)
    server.ask_graphql(_LAUNCH, night=str(night))
    return wrong + watch.wait("the run after it", lambda: len(_runs(site, [dg.DagsterRunStatus.SUCCESS])) > before, 300)


def _runs(site: Site, statuses: list[dg.DagsterRunStatus]) -> list[dg.DagsterRun]:
    with instance_of(site) as instance:
        return list(instance.get_runs(dg.RunsFilter(job_name="nightly_scoring", statuses=statuses)))


def _held(site: Site) -> set[str]:
    with instance_of(site) as instance:
        return instance.event_log_storage.get_concurrency_run_ids()


def _worker(site: Site) -> int | None:
    """The process of the run that works now, as its newest event has it."""
    working = _runs(site, [dg.DagsterRunStatus.STARTED])
    if not working:
        return None
    with instance_of(site) as instance:
        newest = instance.get_records_for_run(working[0].run_id, limit=20, ascending=False).records
    events = [entry.event_log_entry.dagster_event for entry in newest]
    return next((event.pid for event in events if event is not None and event.pid is not None), None)

"""Replays the project's nights under several policies, compares them, and publishes what came of it: table, page, catalog."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa

from ml_pipeline.contracts.replay import REPLAY_SCHEMA, ReplayContract
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.replay_page import replay_page
from ml_pipeline.domain.replay_policies import POLICIES, ReplayPolicy
from ml_pipeline.domain.replay_report import PolicyYear, ReplayReport
from ml_pipeline.io.files import write_durably
from ml_pipeline.io.table_store import NightInputs, PublishResult
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.replay_comparison import DISTURBED, compare
from ml_pipeline.operations.replay_roots import ReplayRoots, Scenario
from ml_pipeline.operations.replay_watch import SitePlace
from ml_pipeline.operations.site import Site

REPLAY = "monitoring/replay"
_DATA = "replay.json"
_Task = tuple[Scenario, ReplayPolicy]


@dataclass(frozen=True)
class Replayed:
    """What a replay found, where its page lies, and what was published."""

    report: ReplayReport
    page: Path
    published: PublishResult


def run_replay(
    site: Site, policies: Sequence[ReplayPolicy] = POLICIES, *, with_incidents: bool = True
) -> Replayed:  # fmt: skip
    """Operate the project's replay nights under each of ``policies``; with incidents once more under the project's own.

    Each has a data root below ``replay/`` that can be queried as any other. Roots that are made from what is there now are
    kept. As many run side by side as the site has threads; their number changes nothing but the time.

    Raises:
        ValueError: the project declares no replay. LookupError: features or labels of a night are missing.
        NoFirstChampionError: the gate accepted no model at all.
    """
    span = require_span(site)
    roots = ReplayRoots(site, span)
    first = roots.make_start("clean")
    tasks = _tasks(span, policies, with_incidents=with_incidents)
    policies = [policy for scenario, policy in tasks if scenario == "clean"]
    is_disturbed = any(scenario == "disturbed" for scenario, _ in tasks)
    if is_disturbed:
        roots.make_start("disturbed")
    _run_all(roots, [task for task in tasks if roots.finished(task[0], task[1].name) is None])
    report = compare(roots, first, policies, is_disturbed=is_disturbed)
    page = report_path(site)
    write_durably(page, replay_page(report).encode())
    write_durably(page.with_name(_DATA), (json.dumps(asdict(report), default=str, indent=1) + "\n").encode())
    published = _publish(roots, report)
    publish_catalog(site)
    return Replayed(report, page, published)


def stale_replay(
    site: Site, policies: Sequence[ReplayPolicy] = POLICIES, *, with_incidents: bool = True
) -> list[Night]:
    """The nights of the replay if a part of it was never run, or is made from something else; none if all is there."""
    span = require_span(site)
    roots = ReplayRoots(site, span)
    asked = _tasks(span, policies, with_incidents=with_incidents)
    is_there = all(roots.finished(scenario, policy.name) is not None for scenario, policy in asked)
    shown = (
        json.loads(report_path(site).with_name(_DATA).read_text()) if is_there and report_path(site).exists() else {}
    )
    named = [(scenario, year["name"]) for scenario in ("clean", "disturbed") for year in shown.get(scenario, [])]
    return (
        []
        if sorted(named) == sorted((scenario, policy.name) for scenario, policy in asked)
        else [span.first, span.last]
    )


def _tasks(span: ReplayContract, policies: Sequence[ReplayPolicy], *, with_incidents: bool) -> list[_Task]:
    """What is to be run: each policy on the data as they came, and, first, the project's own with the incidents.

    What incidents were noticed shows only beside the same policy without them, so that one is then replayed too.
    """
    if not (with_incidents and span.incidents):
        return [("clean", policy) for policy in policies]
    own = () if DISTURBED in policies else (DISTURBED,)
    return [("disturbed", DISTURBED), *(("clean", policy) for policy in (*own, *policies))]


def report_path(site: Site) -> Path:
    """The page; what it shows lies beside it as ``replay.json``."""
    return site.reports / "replay" / "index.html"


def require_span(site: Site) -> ReplayContract:
    """Raises ValueError if the project declares no replay."""
    if site.project.replay is None:
        raise ValueError("the project has no replay; name its first and last night as replay in project.yml")
    return site.project.replay


def _run_all(roots: ReplayRoots, tasks: Sequence[_Task]) -> None:
    site = roots.site
    workers = min(len(tasks), site.threads)
    if workers < 2:
        for scenario, policy in tasks:
            roots.run(scenario, policy)
        return
    # Spawned, because Delta's runtime panics in a forked process. Threads change no result, so each gets its share.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        place = SitePlace.of(site, threads=max(1, site.threads // workers))
        running = {pool.submit(_run_alone, place, *task): task for task in tasks}
        for done in as_completed(running):
            done.result()
            scenario, policy = running[done]
            site.progress(f"{REPLAY}: {policy.title}, {scenario}")


def _run_alone(place: SitePlace, scenario: Scenario, policy: ReplayPolicy) -> None:
    site = place.open()
    ReplayRoots(site, require_span(site)).run(scenario, policy)


def _publish(roots: ReplayRoots, report: ReplayReport) -> PublishResult:
    entries, notes = [], {}
    both: tuple[tuple[Scenario, tuple[PolicyYear, ...]], ...] = (
        ("clean", report.clean),
        ("disturbed", report.disturbed),
    )
    for scenario, years in both:
        for year in years:
            notes[f"{scenario} {year.name}"] = roots.finished(scenario, year.name)
            for night in year.nights:
                told = {name: value for name, value in asdict(night).items() if name != "night"}
                entries.append({SCORE_DATE: night.night, "scenario": scenario, "policy": year.name, **told})
    inputs = NightInputs.made_from(notes)
    nights = nights_between(report.first_night, report.last_night)
    # As from pandas: a NaN is a number that is missing.
    columns = [pa.array([entry[one.name] for entry in entries], one.type, from_pandas=True) for one in REPLAY_SCHEMA]
    rows = pa.table(columns, schema=REPLAY_SCHEMA)
    return roots.site.tables.publish(REPLAY, rows, dict.fromkeys(nights, inputs), key=["scenario", "policy"])

"""Holds the years of a replay against each other, and what was found against what was done to them."""

from collections.abc import Sequence
from dataclasses import replace

from ml_pipeline.domain.replay_incidents import Found, false_alarm_nights, judge_incident
from ml_pipeline.domain.replay_policies import ReplayPolicy, policy_named
from ml_pipeline.domain.replay_report import PolicyYear, ReplayedIncident, ReplayReport
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.replay_findings import label_sources, read_findings
from ml_pipeline.operations.replay_roots import ReplayRoots, Scenario
from ml_pipeline.operations.replay_years import as_policy_year, read_year
from ml_pipeline.operations.site import Site

# The policy that incidents are injected under: the project's own.
DISTURBED = policy_named("drift")


def compare(roots: ReplayRoots, first: Night, policies: Sequence[ReplayPolicy], *, is_disturbed: bool) -> ReplayReport:
    """Read the finished roots of ``policies``, and of the disturbed year, and hold them against each other."""
    site, span = roots.site, roots.span
    years = [read_year(roots.open("clean", policy.name), policy, first, span.last) for policy in policies]
    clean = []
    for year in years:
        found = read_findings(roots.open("clean", year.policy.name))
        false = false_alarm_nights(found, span.clean_until)
        clean.append(replace(as_policy_year(site, year, years), false_alarms=len(false)))
    nights = len(nights_between(first, min(span.clean_until, span.last)))
    costs = site.project.decision
    return ReplayReport(
        site.project.name, site.project.title, first, span.last,
        f"a false alarm costs {costs.cost_false_alarm:g}, a miss {costs.cost_miss:g}", span.clean_until,
        100 * clean[0].false_alarms / nights if nights else float("nan"), tuple(clean),
        (_disturbed_year(roots, first),) if is_disturbed else (),
        _incidents(roots) if is_disturbed else (), notes=_notes(site),
    )  # fmt: skip


def _notes(site: Site) -> tuple[str, ...]:
    seed, pause = site.project.training.seed, site.project.monitoring.cool_down_nights
    return (
        f"The use case is {site.project.name}; every model was judged by the same gate, as of its own night.",
        f"Intervals draw whole nights 2,000 times (seed {seed}) and leave out a fortieth on each side.",
        f"A first model was asked for on the first night, and again {pause} nights after each refusal. Until one was "  # noqa: ISC004
        "promoted, no night was scored, under no policy.",
        "Where a landing or scores were held for a person, the replay said yes in their place, and recorded that.",
        "After too many refusals in a row the policy calls a person; in a replay nobody answers.",
    )


def _disturbed_year(roots: ReplayRoots, first: Night) -> PolicyYear:
    year = read_year(roots.open("disturbed", DISTURBED.name), DISTURBED, first, roots.span.last)
    return as_policy_year(roots.site, year, ())


def _incidents(roots: ReplayRoots) -> tuple[ReplayedIncident, ...]:
    """What of the disturbed year was not in the clean one speaks of an incident."""
    before = {_key(one) for one in _found(roots, "clean")}
    found = [one for one in _found(roots, "disturbed") if _key(one) not in before]
    sources = label_sources(roots.site)
    return tuple(
        judge_incident(incident, found, is_label_source=incident.source in sources) for incident in roots.span.incidents
    )


def _found(roots: ReplayRoots, scenario: Scenario) -> tuple[Found, ...]:
    return read_findings(roots.open(scenario, DISTURBED.name))


def _key(found: Found) -> tuple[Night, str, str]:
    return (found.night, found.kind, found.source)

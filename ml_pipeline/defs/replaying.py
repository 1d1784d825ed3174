"""The replay: the project's nights operated under several policies. An asset of its own, in no nightly job."""

import dagster as dg
from pydantic import Field

from ml_pipeline.contracts.replay import ReplayContract
from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, same_night, sql_project
from ml_pipeline.defs.reporting import nights_of, published_facts, report_nights, run_or_refuse
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.domain.replay_policies import POLICIES, policy_named
from ml_pipeline.domain.replay_report import PolicyYear, ReplayReport
from ml_pipeline.nights import Night
from ml_pipeline.operations.run_replay import REPLAY, require_span, run_replay

_PROJECT = sql_project().project


class ReplayConfig(dg.Config):
    """What the launchpad asks of a replay."""

    policies: list[str] = Field([policy.name for policy in POLICIES], description="Which policies are compared.")
    incidents: bool = Field(True, description="Whether the project's incidents are injected, in a replay of their own.")


@dg.asset(
    key=REPLAY.split("/"), deps=same_night("features", "labels"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="replaying",
    kinds={"lightgbm", "deltalake"}, owners=[_PROJECT.owner], pool="training", code_version="1",
)  # fmt: skip
def replay(context: dg.AssetExecutionContext, config: ReplayConfig, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The nights as they would have been operated: scored, judged, decided, retrained and promoted in order, policy by policy."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    run_or_refuse(lambda: require_night_of(nights, require_span(here)))
    policies = run_or_refuse(lambda: [policy_named(name) for name in config.policies])
    replayed = run_or_refuse(lambda: run_replay(here, policies, with_incidents=config.incidents))
    report_nights(context, replayed.published, {})
    return dg.MaterializeResult(metadata={
        **published_facts(replayed.published), "page": dg.MetadataValue.path(str(replayed.page)),
        "policies": dg.MetadataValue.md(policies_markdown(replayed.report)),
        "incidents": dg.MetadataValue.md(incidents_markdown(replayed.report)),
        "false_alarms_per_100_nights": replayed.report.false_alarms_per_100_nights,
    })  # fmt: skip


def require_night_of(nights: list[Night], span: ReplayContract) -> None:
    """Raise ValueError if none of ``nights`` belongs to the replay, which is always run as a whole."""
    if not any(span.first <= night <= span.last for night in nights):
        raise ValueError(
            f"the replay goes from {span.first} to {span.last}; choose any of its nights, all of it is run"
        )


def policies_markdown(report: ReplayReport) -> str:
    """A line for each policy."""
    head = ["| policy | cost | log loss | Brier | trainings | promoted | saved against never |", "| --- " * 7 + "|"]
    return "\n".join([*head, *(_line(year) for year in report.clean)])


def _line(year: PolicyYear) -> str:
    gain = year.saved.get("never")
    told = f"{gain.value:+,.0f} ({gain.low:+,.0f} to {gain.high:+,.0f})" if gain else ""
    return (
        f"| {year.title} | {year.cost:,.0f} | {year.log_loss:.4f} | {year.brier:.4f} | {year.trainings} | "
        f"{year.promotions} | {told} |"
    )


def incidents_markdown(report: ReplayReport) -> str:
    """A line for each incident."""
    head = ["| incident | is | found as | after nights | by |", "| --- " * 5 + "|"]
    lines = [
        f"| {one.title} | {one.truth} | {one.found} | {one.nights_to_detection} | {one.detected_by} |"
        for one in report.incidents
    ]
    return "\n".join([*head, *lines]) if lines else "No incidents were injected."

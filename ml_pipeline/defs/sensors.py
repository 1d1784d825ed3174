"""Sensors: one asks for a retraining when the verdict says so, one records failed runs, one asks again for dead ones."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from ml_pipeline.defs.instance import DEAD, reconcile
from ml_pipeline.defs.jobs import nightly_scoring, recalibration, retraining
from ml_pipeline.defs.project import settings
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.defs.run_tags import EVIDENCE, NIGHT
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.operations.decide import newest_decision, open_request

_MOST_ATTEMPTS = 3
_SECONDS = settings().sensor_seconds
_UNSUCCESSFUL = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


@dg.sensor(
    jobs=[retraining, recalibration], minimum_interval_seconds=_SECONDS, default_status=dg.DefaultSensorStatus.RUNNING
)
def retraining_requests(context: dg.SensorEvaluationContext, site: SiteResource) -> dg.RunRequest | dg.SkipReason:
    """Requests the run that the policy asked for and nobody has answered. It decides nothing: it reads the verdicts.

    A run that failed is asked for again for the same evidence, three times in all. Each attempt has a run key of its own:
    Dagster keeps a key for ever, so one key alone would silence the evidence after the first failure.
    """
    here = site.open(context.log.info)
    asked = open_request(here)
    if asked is None:
        decision = newest_decision(here)
        told = f"night {decision['score_date']}: {decision['reasons']}" if decision else "no night has been decided yet"
        return dg.SkipReason(told)
    runs = context.instance.get_runs(dg.RunsFilter(tags={EVIDENCE: asked.evidence_id}))
    going = [run for run in runs if run.status not in _UNSUCCESSFUL]
    if going:
        return dg.SkipReason(f"{asked.evidence_id} is answered by run {going[0].run_id}, {going[0].status.value}")
    if len(runs) >= _MOST_ATTEMPTS:
        return dg.SkipReason(f"{asked.evidence_id} was tried {len(runs)} times and failed; see the alerts")
    night = str(asked.night)
    return dg.RunRequest(
        run_key=asked.evidence_id if not runs else f"{asked.evidence_id}_{len(runs) + 1}",
        job_name=(retraining if asked.act == "retrain" else recalibration).name, partition_key=night,
        tags={EVIDENCE: asked.evidence_id, NIGHT: night},
    )  # fmt: skip


_ATTEMPT = "ml_pipeline/attempt"
_ASKED_BY = {"dagster/schedule_name", "dagster/sensor_name"}
_KEPT_TAGS = {
    NIGHT,
    "ml_pipeline/nightly",
    *(f"dagster/asset_partition_range_{end}" for end in ("start", "end")),
}


@dg.sensor(
    jobs=[nightly_scoring, retraining], minimum_interval_seconds=_SECONDS, default_status=dg.DefaultSensorStatus.RUNNING
)
def dead_runs(context: dg.SensorEvaluationContext, site: SiteResource) -> list[dg.RunRequest] | dg.SkipReason:
    """Records runs that died as failed, and asks once more for those that the schedule or a sensor had asked for.

    A run that dies each time, for want of memory for example, is asked for three times. The run key is the dead run.
    """
    newly_dead = reconcile(Path(site.data), context.instance)
    records = context.instance.get_run_records(dg.RunsFilter(tags={DEAD: "true"}), limit=20)
    requests = [_once_more(record.dagster_run) for record in reversed(records) if _is_asked_again(record.dagster_run)]
    return requests or dg.SkipReason(f"{len(newly_dead)} runs were found dead; none is to be asked for again")


def _is_asked_again(run: dg.DagsterRun) -> bool:
    is_ours = bool(_ASKED_BY & set(run.tags)) and run.job_name in {nightly_scoring.name, retraining.name}
    # What the policy asked for is asked for again by its own sensor, which counts the attempts.
    return is_ours and EVIDENCE not in run.tags and int(run.tags.get(_ATTEMPT, "1")) < _MOST_ATTEMPTS


def _once_more(run: dg.DagsterRun) -> dg.RunRequest:
    tags = {name: text for name, text in run.tags.items() if name in _KEPT_TAGS}
    attempt = {_ATTEMPT: str(int(run.tags.get(_ATTEMPT, "1")) + 1)}
    return dg.RunRequest(
        run.run_id, job_name=run.job_name, partition_key=run.tags.get("dagster/partition"), tags=tags | attempt
    )


@dg.sensor(minimum_interval_seconds=_SECONDS, default_status=dg.DefaultSensorStatus.RUNNING)
def alert_delivery(context: dg.SensorEvaluationContext, site: SiteResource) -> dg.SkipReason:
    """Sends the alerts that no run could send at its end: of failed runs, and of channels that were down."""
    done = site.deliver_alerts()
    for channel, reason in done.failed.items():
        context.log.error("alert channel %s: %s", channel, reason)
    return dg.SkipReason(f"{done.sent} alerts sent, {len(done.failed)} channels failed")


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def failed_runs(context: dg.RunFailureSensorContext, site: SiteResource) -> None:
    """Records a failed run in the alerts ledger, once it will not be retried."""
    run = context.dagster_run
    if run.tags.get("dagster/will_retry") == "true":
        return
    here = site.open(context.log.info)
    raise_alert(
        here.ledger("alerts"), severity="blocking", title=f"run of {run.job_name} failed",
        night=_nights_in(run.tags), detail=context.failure_event.message or "", key=run.run_id,
    )  # fmt: skip


def _nights_in(tags: Mapping[str, str]) -> str:
    """The night of a run, or the first and last of its range."""
    first, last = (tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    return tags.get("dagster/partition") or (f"{first} to {last}" if first else "")

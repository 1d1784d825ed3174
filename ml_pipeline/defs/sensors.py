"""Sensors: one asks for a retraining when the verdict says so, one records failed runs."""

from collections.abc import Mapping

import dagster as dg

from ml_pipeline.defs.jobs import retraining
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.operations.decide import newest_decision


@dg.sensor(job=retraining, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def retraining_requests(context: dg.SensorEvaluationContext, site: SiteResource) -> dg.RunRequest | dg.SkipReason:
    """Requests one retraining for each piece of evidence. It decides nothing: it reads the newest verdict.

    The run key is the evidence, so the same stretch of drift never asks twice, however often the sensor ticks.
    """
    decision = newest_decision(site.open(context.log.info))
    if decision is None:
        return dg.SkipReason("no night has been decided yet")
    if decision["verdict"] != "retrain":
        return dg.SkipReason(f"night {decision['score_date']}: {decision['reasons']}")
    night, evidence = str(decision["score_date"]), str(decision["evidence_id"])
    return dg.RunRequest(run_key=evidence, partition_key=night, tags={"evidence": evidence, "night": night})


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING)
def failed_runs(context: dg.RunFailureSensorContext, site: SiteResource) -> None:
    """Records a failed run in the alerts ledger, once it will not be retried."""
    run = context.dagster_run
    if run.tags.get("dagster/will_retry") == "true":
        return
    here = site.open(context.log.info)
    raise_alert(
        here.ledger("alerts"), severity="blocking", title=f"run of {run.job_name} failed",
        night=_nights_in(run.tags), detail=context.failure_event.message or "",
    )  # fmt: skip


def _nights_in(tags: Mapping[str, str]) -> str:
    """The night of a run, or the first and last of its range."""
    first, last = (tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    return tags.get("dagster/partition") or (f"{first} to {last}" if first else "")

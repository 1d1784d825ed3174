"""What ``make run`` does: the whole chain through Dagster, in this process, skipping what is up to date."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg

from ml_pipeline.defs.loading import code_location
from ml_pipeline.io.connectors.connector import DeliveryError, DeliveryUnsettledError
from ml_pipeline.io.model_bundle import BundleError
from ml_pipeline.nights import Night, contiguous_runs, nights_back, nights_between
from ml_pipeline.operations.build import stale_features, stale_labels
from ml_pipeline.operations.decide import stale_decisions
from ml_pipeline.operations.estimate import stale_estimates
from ml_pipeline.operations.expect import stale_expectations
from ml_pipeline.operations.land import stale_landings
from ml_pipeline.operations.late_arrivals import stale_late_arrivals
from ml_pipeline.operations.mature import stale_performance
from ml_pipeline.operations.matured_calibration import stale_calibration
from ml_pipeline.operations.promote import judged_before
from ml_pipeline.operations.refit import is_refit_due
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.stale_scores import stale_scores
from ml_pipeline.operations.train import find_training
from ml_pipeline.operations.watch import stale_drift
from ml_pipeline.operations.watch_predictions import stale_prediction_drift

_QUIET: dict[str, Any] = {"loggers": {"plain": {"config": {}}}}
_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Stage:
    """One step of the chain: a job, the assets of it that run, the nights that still need it, and the assets' own config."""

    title: str
    job: str
    assets: tuple[str, ...]
    stale: Callable[[], Sequence[Night]]
    config: Mapping[str, Any] = field(default_factory=dict)

    def nights(self) -> Sequence[Night]:
        """The nights to run; raises StageFailedError where even that cannot be said: a delivery or a bundle is damaged."""
        try:
            return self.stale()
        except (BundleError, DeliveryError, DeliveryUnsettledError) as error:
            raise StageFailedError(f"{self.title}: {error}") from error


class StageFailedError(RuntimeError):
    """A stage's Dagster run failed; the run's own log says why."""


def stages(site: Site) -> list[Stage]:
    """The chain of the project's default run, in order."""
    plan = site.project.default_run
    first, horizon = site.project.first_night, site.project.label.horizon_nights
    scored = nights_between(plan.train_on, plan.score_until)
    matured = nights_between(plan.train_on, nights_back(plan.score_until, -horizon))
    learned = nights_between(first, matured[-1])
    return [
        *landing_stages(site, plan.land_until),
        Stage("build features", "feature_building", ("features",),
              partial(stale_features, site, nights_between(first, plan.score_until))),
        Stage("build labels", "feature_building", ("labels",), partial(stale_labels, site, learned)),
        Stage("report late data", "watching", ("monitoring/late_arrivals",),
              partial(stale_late_arrivals, site, nights_between(first, plan.score_until))),
        Stage("train and promote", "retraining", ("trained_model", "promotion"), partial(_untrained, site, plan.train_on)),
        Stage("score", "scoring", ("scores",), partial(stale_scores, site, scored)),
        Stage("judge matured nights", "judging", ("monitoring/performance", "monitoring/calibration", "monitoring/estimates"),
              partial(_unjudged, site, matured)),
        Stage("measure drift", "watching", ("monitoring/drift", "monitoring/prediction_drift"),
              partial(_unwatched, site, scored)),
        Stage("hold against expectations", "watching", ("monitoring/expectations",),
              partial(stale_expectations, site, scored)),
        Stage("decide on retraining", "watching", ("monitoring/retraining_decisions",), partial(stale_decisions, site, scored)),
    ]  # fmt: skip


def landing_stages(site: Site, until: Night) -> list[Stage]:
    """Land every source: references on the first night, the others on all nights up to ``until``."""
    first = site.project.first_night
    landed = nights_between(first, until)
    return [
        Stage(f"land {name}", "ingestion", (f"raw/{name}",),
              partial(stale_landings, site, name, [first] if source.reference else landed))
        for name, source in site.sql.sources.items()
    ]  # fmt: skip


def run_stages(site: Site, instance: dg.DagsterInstance, say: Callable[[str], None]) -> int:
    """Run what is stale, stage by stage; returns the number of Dagster runs. Nothing to do is no run.

    Raises:
        StageFailedError: a run failed, or a delivery cannot be read; later stages were not started.
    """
    definitions = code_location()
    chain = stages(site)
    runs = 0
    for number, stage in enumerate(chain, start=1):
        nights = stage.nights()
        head = f"[{number:2}/{len(chain)}] {stage.title}"
        if not nights:
            say(f"{head}: up to date")
            continue
        began = time.monotonic()
        for first, last in contiguous_runs(nights, longest=len(nights)):
            say(f"{head}: {first}" + (f" to {last}" if last > first else ""))
            execute_stage(definitions, instance, stage, first, last)
            runs += 1
        say(f"{' ' * 8}{len(nights)} nights in {time.monotonic() - began:.1f} s")
    return runs


def run_whole_stages(chain: Sequence[Stage], instance: dg.DagsterInstance, say: Callable[[str], None]) -> int:
    """Run each stage of ``chain`` that needs it in one run, from its first night to its last; returns the number of runs.

    What is up to date between the two is left alone by the operation.

    Raises:
        StageFailedError: a run failed, or a delivery cannot be read; later stages were not started.
    """
    definitions = code_location()
    runs = 0
    for stage in chain:
        nights = stage.nights()
        say(f"{stage.title}: {nights[0]} to {nights[-1]}" if nights else f"{stage.title}: up to date")
        if nights:
            execute_stage(definitions, instance, stage, nights[0], nights[-1])
            runs += 1
    return runs


def execute_stage(
    definitions: dg.Definitions, instance: dg.DagsterInstance, stage: Stage, first: Night, last: Night
) -> None:
    """One run of a stage, from night ``first`` to ``last``.

    Raises:
        StageFailedError: the run failed.
    """
    job = definitions.resolve_job_def(stage.job)
    keys = [dg.AssetKey(name.split("/")) for name in stage.assets]
    where = (
        {"partition_key": str(first)} if first == last else {"tags": {_RANGE_START: str(first), _RANGE_END: str(last)}}
    )
    result = job.execute_in_process(
        instance=instance, asset_selection=keys, run_config={**_QUIET, **stage.config}, raise_on_error=False, **where
    )
    if not result.success:
        failures = [event.step_failure_data.error for event in result.get_step_failure_events()]
        reasons = "; ".join(error.message.strip() for error in failures if error)
        raise StageFailedError(f"{stage.title}, nights {first} to {last}, run {result.run_id}: {reasons}")


def _unjudged(site: Site, nights: Sequence[Night]) -> list[Night]:
    return sorted({*stale_performance(site, nights), *stale_calibration(site, nights), *stale_estimates(site, nights)})


def _unwatched(site: Site, nights: Sequence[Night]) -> list[Night]:
    return sorted({*stale_drift(site, nights), *stale_prediction_drift(site, nights)})


def _untrained(site: Site, night: Night) -> list[Night]:
    bundle = find_training(site, night)
    if bundle is None or judged_before(site, bundle.version, night) is None:
        return [night]
    return [night] if is_refit_due(site, bundle.version, night) else []

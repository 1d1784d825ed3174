"""Assets that watch: realised performance, input drift, the decision whether to retrain, and what came late."""

from typing import Any

import dagster as dg

from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, same_night, sql_project
from ml_pipeline.defs.reporting import nights_of, published_facts, report_nights, run_or_refuse
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.domain.lateness import LATE
from ml_pipeline.nights import Night
from ml_pipeline.operations.decide import DECISIONS, decide_retraining
from ml_pipeline.operations.expect import EXPECTATIONS
from ml_pipeline.operations.late_arrivals import LATE_ARRIVALS, RESTATEMENTS, measure_late_arrivals
from ml_pipeline.operations.mature import PERFORMANCE, measure_performance
from ml_pipeline.operations.matured_calibration import CALIBRATION, measure_matured_calibration
from ml_pipeline.operations.watch import DRIFT, measure_drift

_PROJECT = sql_project().project


@dg.asset(
    key=PERFORMANCE.split("/"), deps=same_night("labels", "scores"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def performance(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """How model and baseline did on the nights whose outcomes are known: log loss, Brier, AUC, calibration, cost."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    published = run_or_refuse(lambda: measure_performance(here, nights))
    rows = here.tables.read(PERFORMANCE, nights).to_pylist()
    shown = ("rows", "coverage", "log_loss", "brier", "roc_auc", "mean_cost")
    facts = {
        row["score_date"]: {"last_scored_night": str(row["last_scored_night"]), **{f"last_night_{name}": row[name] for name in shown}}
        for row in rows if row["window_nights"] == 1 and row["subject"] == "model"
    }  # fmt: skip
    report_nights(context, published, facts)
    return dg.MaterializeResult(metadata=published_facts(published))


@dg.asset(
    key=CALIBRATION.split("/"), deps=same_night("labels", "scores"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def calibration(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Whether probabilities meant what they said on the last 28 matured nights: as a whole, by bin, by slice."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    published = run_or_refuse(lambda: measure_matured_calibration(here, nights))
    rows = [row for row in here.tables.read(CALIBRATION, nights).to_pylist() if row["subject"] == "model"]
    facts: dict[Night, dict[str, Any]] = {night: {"slices_off": 0} for night in nights}
    for row in rows:
        told = facts[row["score_date"]]
        if row["part"] == "all":
            told |= {
                name: row[name] for name in ("rows", "mean_probability", "observed_share", "gap", "gap_low", "gap_high")
            }
        elif row["part"] == "slice" and row["finding"].startswith("says"):
            told["slices_off"] += 1
    report_nights(context, published, {night: _known(told) for night, told in facts.items()})
    return dg.MaterializeResult(metadata=published_facts(published))


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    """Dagster's metadata has no missing numbers."""
    return {name: value for name, value in facts.items() if value is not None}


@dg.asset(
    key=DRIFT.split("/"),
    deps=same_night("features", "promotion"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring",
    kinds={"evidently", "deltalake"}, owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def drift(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """How far the features of late lie from the champion's training rows; Evidently's report on one night a week."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    outcome = run_or_refuse(lambda: measure_drift(here, nights))
    rows = here.tables.read(DRIFT, nights, ["is_drifted"]).group_by("score_date").aggregate([("is_drifted", "mean")])
    facts: dict[Night, dict[str, Any]] = {
        row["score_date"]: {"drifted_share": row["is_drifted_mean"]} for row in rows.to_pylist()
    }
    for night, reason in outcome.reasons.items():
        facts[night]["not_against_the_champion"] = reason
    report_nights(context, outcome.published, facts)
    report = {"report": dg.MetadataValue.path(str(outcome.report))} if outcome.report else {}
    return dg.MaterializeResult(metadata={**published_facts(outcome.published), **report})


@dg.asset(
    key=DECISIONS.split("/"), deps=same_night(DRIFT, PERFORMANCE, CALIBRATION, EXPECTATIONS),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def retraining_decisions(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """What the night's evidence is worth doing, with reasons; a sensor reads it and requests the run."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    published = run_or_refuse(lambda: decide_retraining(here, nights))
    rows = here.tables.read(DECISIONS, nights).to_pylist()
    facts = {
        row["score_date"]: {name: row[name] for name in ("verdict", "severity", "evidence_id", "reasons")}
        for row in rows
    }
    report_nights(context, published, facts)
    return dg.MaterializeResult(metadata=published_facts(published))


@dg.asset(
    key=LATE_ARRIVALS.split("/"), deps=same_night(*(f"raw/{source}" for source in sql_project().sources), "features"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def late_arrivals(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """What the night landed late or as a correction, and which earlier nights it would have changed in time."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    published = run_or_refuse(lambda: measure_late_arrivals(here, nights))
    facts = {night: {"rows_late": 0, "rows_corrected": 0, "earlier_nights_changed": 0} for night in nights}
    for row in here.tables.read(LATE_ARRIVALS, nights).to_pylist():
        facts[row["score_date"]]["rows_late" if row["kind"] == LATE else "rows_corrected"] += row["rows"]
    for row in here.tables.read(RESTATEMENTS, nights, ["affected_night"]).to_pylist():
        facts[row["score_date"]]["earlier_nights_changed"] += 1
    report_nights(context, published, facts)
    return dg.MaterializeResult(metadata=published_facts(published))

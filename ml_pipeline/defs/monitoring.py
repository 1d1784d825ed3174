"""Assets that watch: realised performance, input drift, the shadow, the decision whether to retrain, and what came late."""

from typing import Any

import dagster as dg

from ml_pipeline.contracts.serving import SHADOW_REVIEW
from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, same_night, sql_project
from ml_pipeline.defs.reporting import nights_of, published_facts, report_nights, run_or_refuse
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.domain.lateness import LATE
from ml_pipeline.nights import Night
from ml_pipeline.operations.decide import DECISIONS, decide_retraining
from ml_pipeline.operations.estimate import ESTIMATES, MATURED, estimate_performance_of
from ml_pipeline.operations.expect import EXPECTATIONS
from ml_pipeline.operations.late_arrivals import LATE_ARRIVALS, RESTATEMENTS, measure_late_arrivals
from ml_pipeline.operations.mature import PERFORMANCE, measure_performance
from ml_pipeline.operations.matured_calibration import CALIBRATION, measure_matured_calibration
from ml_pipeline.operations.shadow_review import review_shadow
from ml_pipeline.operations.watch import DRIFT, measure_drift
from ml_pipeline.operations.watch_predictions import PREDICTION_DRIFT, measure_prediction_drift

_PROJECT = sql_project().project
DATA_ARE_SOUND = "data_are_sound"
_SHOWN = 5


@dg.asset(
    key=PERFORMANCE.split("/"), deps=same_night("labels", "scores"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def performance(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """How what was published, and the baseline, did on nights whose outcomes are known: log loss, Brier, AUC, calibration, cost."""
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


@dg.asset(
    key=ESTIMATES.split("/"), deps=same_night("labels", "scores"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def estimates(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """What nights without labels will prove to be, by their own probabilities; graded, and not trusted while wrong."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    published = run_or_refuse(lambda: estimate_performance_of(here, nights))
    facts: dict[Night, dict[str, Any]] = {}
    for row in here.tables.read(ESTIMATES, nights).to_pylist():
        told = facts.setdefault(
            row["score_date"], {name: row[name] for name in ("is_trusted", "graded_error", "reasons")}
        )
        graded = row["state"] == MATURED
        told |= {"error": row["error"]} if graded else {"expected_log_loss": row["expected_log_loss"]}
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
    """How far the features of late lie from the training rows; Evidently's report once a week and when the verdict turns."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    outcome = run_or_refuse(lambda: measure_drift(here, nights))
    columns = ["is_drifted", "agrees_with_evidently"]
    rows = here.tables.read(DRIFT, nights, columns)
    means = rows.group_by("score_date").aggregate([(name, "mean") for name in columns]).to_pylist()
    facts: dict[Night, dict[str, Any]] = {
        row["score_date"]: _known({
            "drifted_share": row["is_drifted_mean"], "agreement_with_evidently": row["agrees_with_evidently_mean"],
        })
        for row in means
    }  # fmt: skip
    for night, reason in outcome.reasons.items():
        facts[night]["not_against_the_champion"] = reason
    report_nights(context, outcome.published, facts)
    report = {"report": dg.MetadataValue.path(str(outcome.report))} if outcome.report else {}
    return dg.MaterializeResult(metadata={**published_facts(outcome.published), **report})


@dg.asset(
    key=PREDICTION_DRIFT.split("/"), deps=same_night("scores"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def prediction_drift(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """How far the probabilities of late lie from those of the champion's test block and of the nights before."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    published = run_or_refuse(lambda: measure_prediction_drift(here, nights))
    shown = ("mean_probability", "psi", "effect_test", "effect_trailing", "finding")
    facts = {
        row["score_date"]: _known({name: row[name] for name in shown})
        for row in here.tables.read(PREDICTION_DRIFT, nights).to_pylist()
    }
    report_nights(context, published, facts)
    return dg.MaterializeResult(metadata=published_facts(published))


@dg.asset(
    key=DECISIONS.split("/"), deps=same_night(DRIFT, PERFORMANCE, CALIBRATION, ESTIMATES, EXPECTATIONS, SHADOW_REVIEW),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
    check_specs=[
        # On the last asset of the night: it fails the run, and keeps nothing from being published and decided.
        dg.AssetCheckSpec(DATA_ARE_SOUND, asset=DECISIONS.split("/"), blocking=True, description=(
            "Nothing was found wrong with the data of the night that no world does overnight; else the run fails."
        )),
    ],
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
    bad = [f"night {row['score_date']}: {row['reasons']}" for row in rows if row["is_bad_data"]]
    sound = dg.AssetCheckResult(
        check_name=DATA_ARE_SOUND, asset_key=DECISIONS.split("/"), passed=not bad,
        metadata={"nights": len(rows), "bad_nights": len(bad), "first_bad": bad[:_SHOWN]},
    )  # fmt: skip
    return dg.MaterializeResult(metadata=published_facts(published), check_results=[sound])


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


@dg.asset(
    key=SHADOW_REVIEW.split("/"), deps=same_night("labels", "scores", "shadow_scores", PERFORMANCE),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="monitoring", kinds={"deltalake"},
    owners=[_PROJECT.owner], pool="publishing", code_version="1",
)  # fmt: skip
def shadow_review(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Whether a refused challenger deserves to serve after all, and whether a fresh champion stays; both by the shadow."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    outcome = run_or_refuse(lambda: review_shadow(here, nights))
    facts = {
        night: {f"{row['role']}_{name}": row[name] for row in rows for name in ("challenger", "nights", "verdict", "reasons")}
        for night, rows in outcome.rows_by_night.items()
    }  # fmt: skip
    report_nights(context, outcome.published, facts)
    return dg.MaterializeResult(metadata=published_facts(outcome.published))

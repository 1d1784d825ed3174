"""Schemas of the tables that the pipeline itself makes."""

import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE

_NIGHT = pa.field(SCORE_DATE, pa.date32())
_INSTANT = pa.timestamp("us", tz="UTC")

QUARANTINE_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("row", pa.int64()),
        pa.field("rule", pa.string()),
        pa.field("column", pa.string()),
        pa.field("value", pa.string()),
        pa.field("content", pa.string()),
    ]
)

LABEL_COLUMNS = ("labelled_date", "label_known_at", "label")
LABEL_TYPES = {"labelled_date": pa.date32(), "label_known_at": _INSTANT, "label": pa.bool_()}


def scores_schema(key_fields: list[pa.Field]) -> pa.Schema:
    """Columns of ``scores``: one row per entity and night."""
    return pa.schema(
        [
            _NIGHT,
            *key_fields,
            pa.field("cutoff_at", _INSTANT),
            pa.field("score", pa.float64()),
            pa.field("probability", pa.float64()),
            pa.field("rank", pa.int64()),
            pa.field("decision", pa.bool_()),
            pa.field("threshold", pa.float64()),
            pa.field("reason_1", pa.string()),
            pa.field("reason_2", pa.string()),
            pa.field("reason_3", pa.string()),
            pa.field("served_by", pa.string()),
            pa.field("model_name", pa.string()),
            pa.field("model_version", pa.string()),
            pa.field("feature_set_version", pa.string()),
            pa.field("backfill_policy", pa.string()),
        ]
    )


# 95 % intervals over nights; the gains are the model's over the baseline on the same rows, and stand in its rows alone.
_INTERVALS_AND_GAINS = tuple(
    pa.field(name, pa.float64())
    for name in (
        "log_loss_low", "log_loss_high", "log_loss_gain", "log_loss_gain_low", "log_loss_gain_high", "cost_gain",
        "cost_gain_low", "cost_gain_high",
    )
)  # fmt: skip

PERFORMANCE_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("last_scored_night", pa.date32()),
        pa.field("window_nights", pa.int64()),
        pa.field("subject", pa.string()),
        pa.field("rows_scored", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("coverage", pa.float64()),
        pa.field("positive_share", pa.float64()),
        pa.field("mean_probability", pa.float64()),
        pa.field("log_loss", pa.float64()),
        pa.field("brier", pa.float64()),
        pa.field("roc_auc", pa.float64()),
        pa.field("average_precision", pa.float64()),
        pa.field("calibration_error", pa.float64()),
        pa.field("mean_cost", pa.float64()),
        *_INTERVALS_AND_GAINS,
        pa.field("promised_log_loss", pa.float64()),
        pa.field("served_by", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("fallback_nights", pa.int64()),
    ]
)

# The same on each value of the declared slices and groups, over the longest window.
SLICE_PERFORMANCE_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("last_scored_night", pa.date32()),
        pa.field("window_nights", pa.int64()),
        pa.field("feature", pa.string()),
        pa.field("value", pa.string()),
        pa.field("subject", pa.string()),
        pa.field("rows_scored", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("coverage", pa.float64()),
        pa.field("positive_share", pa.float64()),
        pa.field("mean_probability", pa.float64()),
        pa.field("log_loss", pa.float64()),
        pa.field("brier", pa.float64()),
        pa.field("roc_auc", pa.float64()),
        pa.field("mean_cost", pa.float64()),
        *_INTERVALS_AND_GAINS,
        pa.field("finding", pa.string()),
    ]
)

# One row per subject and part of the window's rows: ``all``, each ``bin`` of equal mass, each ``slice``.
CALIBRATION_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("last_scored_night", pa.date32()),
        pa.field("window_nights", pa.int64()),
        pa.field("nights_scored", pa.int64()),
        pa.field("subject", pa.string()),
        pa.field("part", pa.string()),
        pa.field("feature", pa.string()),
        pa.field("value", pa.string()),
        pa.field("rows", pa.int64()),
        pa.field("mean_probability", pa.float64()),
        pa.field("observed_share", pa.float64()),
        pa.field("gap", pa.float64()),
        pa.field("gap_low", pa.float64()),
        pa.field("gap_high", pa.float64()),
        pa.field("finding", pa.string()),
        pa.field("fallback_nights", pa.int64()),
    ]
)

DRIFT_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("feature", pa.string()),
        pa.field("model_version", pa.string()),
        pa.field("window_nights", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("missing_share", pa.float64()),
        pa.field("psi", pa.float64()),
        pa.field("effect_training", pa.float64()),
        pa.field("effect_trailing", pa.float64()),
        pa.field("finding", pa.string()),
        pa.field("is_drifted", pa.bool_()),
        pa.field("fault", pa.string()),
        pa.field("evidently_psi", pa.float64()),
        pa.field("agrees_with_evidently", pa.bool_()),
    ]
)

DECISION_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("model_version", pa.string()),
        pa.field("drifted_share", pa.float64()),
        pa.field("cost_saving", pa.float64()),
        pa.field("gap_low", pa.float64()),
        pa.field("gap_high", pa.float64()),
        pa.field("matured_rows", pa.int64()),
        pa.field("is_bad_data", pa.bool_()),
        pa.field("last_trained", pa.date32()),
        pa.field("rejected_in_a_row", pa.int64()),
        pa.field("verdict", pa.string()),
        pa.field("severity", pa.string()),
        pa.field("evidence_id", pa.string()),
        pa.field("reasons", pa.string()),
        pa.field("is_estimate_trusted", pa.bool_()),
        pa.field("estimated_log_loss", pa.float64()),
        pa.field("promised_log_loss", pa.float64()),
        pa.field("estimated_saving", pa.float64()),
    ]
)

# One row per model in the shadow whose case is open, or was decided on the night.
SHADOW_REVIEW_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("role", pa.string()),
        pa.field("challenger", pa.string()),
        pa.field("champion", pa.string()),
        pa.field("nights", pa.int64()),
        pa.field("gain", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("verdict", pa.string()),
        pa.field("reasons", pa.string()),
    ]
)

LATE_ARRIVALS_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("source", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("nights_late", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("first_affected_night", pa.date32()),
        pa.field("last_affected_night", pa.date32()),
        pa.field("nights_checked", pa.int64()),
        pa.field("nights_changed", pa.int64()),
    ]
)

RESTATEMENTS_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("affected_night", pa.date32()),
        pa.field("rows_changed", pa.int64()),
        pa.field("features_changed", pa.int64()),
        pa.field("content_hash", pa.string()),
        pa.field("content_hash_in_hindsight", pa.string()),
    ]
)

# One row per span, subject and metric. A span is the month of the night, or, ``is_pooled``, all months up to it.
BACKTEST_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("is_pooled", pa.bool_()),
        pa.field("first_scored_night", pa.date32()),
        pa.field("last_scored_night", pa.date32()),
        pa.field("subject", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("rows_scored", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("value", pa.float64()),
        pa.field("value_low", pa.float64()),
        pa.field("value_high", pa.float64()),
        pa.field("model_gain", pa.float64()),
        pa.field("model_gain_low", pa.float64()),
        pa.field("model_gain_high", pa.float64()),
    ]
)

EXPECTATIONS_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("data_asset", pa.string()),
        pa.field("expectation", pa.string()),
        pa.field("column", pa.string()),
        pa.field("severity", pa.string()),
        pa.field("observed", pa.float64()),
        pa.field("lower", pa.float64()),
        pa.field("upper", pa.float64()),
        pa.field("nights_of_history", pa.int64()),
        pa.field("is_met", pa.bool_()),
    ]
)

"""Schemas of what is said of scores before their labels come."""

import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE

_NIGHT = pa.field(SCORE_DATE, pa.date32())

# One row per scored night that waits for its labels, and per one that matured with the night: what was expected, what came.
ESTIMATES_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("scored_night", pa.date32()),
        pa.field("model_version", pa.string()),
        pa.field("state", pa.string()),
        pa.field("rows_scored", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("coverage", pa.float64()),
        pa.field("expected_log_loss", pa.float64()),
        pa.field("log_loss_deviation", pa.float64()),
        pa.field("expected_brier", pa.float64()),
        pa.field("expected_roc_auc", pa.float64()),
        pa.field("expected_cost", pa.float64()),
        pa.field("expected_baseline_cost", pa.float64()),
        pa.field("promised_log_loss", pa.float64()),
        pa.field("realised_log_loss", pa.float64()),
        pa.field("realised_cost", pa.float64()),
        pa.field("error", pa.float64()),
        pa.field("is_trusted", pa.bool_()),
        pa.field("graded_error", pa.float64()),
        pa.field("nights_graded", pa.int64()),
        pa.field("reasons", pa.string()),
        pa.field("served_by", pa.string()),
    ]
)

PREDICTION_DRIFT_SCHEMA = pa.schema(
    [
        _NIGHT,
        pa.field("model_version", pa.string()),
        pa.field("window_nights", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("mean_probability", pa.float64()),
        pa.field("trailing_mean_probability", pa.float64()),
        pa.field("test_mean_probability", pa.float64()),
        pa.field("psi", pa.float64()),
        pa.field("effect_test", pa.float64()),
        pa.field("effect_trailing", pa.float64()),
        pa.field("finding", pa.string()),
        pa.field("fallback_nights", pa.int64()),
    ]
)

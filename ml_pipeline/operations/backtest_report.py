"""Writes the report of a backtest: for people, never read back."""

from pathlib import Path

import pyarrow as pa

from ml_pipeline.domain.backtest_table import POOLED, backtest_markdown, span_of
from ml_pipeline.io.backtest_plot import backtest_png
from ml_pipeline.io.files import write_durably
from ml_pipeline.operations.site import Site

_PANELS = {
    "log_loss": "log loss",
    "brier": "Brier score",
    "roc_auc": "ROC AUC",
    "calibration_error": "calibration error",
}


def report_path(site: Site) -> Path:
    """The Markdown; the picture lies beside it."""
    return site.reports / "backtest" / "backtest.md"


def draw_backtest(site: Site, rows: pa.Table) -> None:
    """Write ``backtest.md`` and ``backtest.png`` from rows of the backtest table."""
    path, entries = report_path(site), rows.to_pylist()
    months = sorted({span_of(row) for row in entries} - {POOLED})
    panels: dict[str, dict[str, list[float]]] = {}
    for metric, title in _PANELS.items():
        found = {(row["subject"], span_of(row)): row["value"] for row in entries if row["metric"] == metric}
        subjects = list(dict.fromkeys(subject for subject, _ in found))
        panels[title] = {subject: [found[subject, month] for month in months] for subject in subjects}
    write_durably(path.with_suffix(".png"), backtest_png(months, panels))
    write_durably(path, backtest_markdown(entries).encode())

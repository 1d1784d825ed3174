"""Evidently's drift report: the HTML for people, and its numbers beside our own."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ml_pipeline.io.files import replace_durably, sync_file

_DIGITS = 9


def write_drift_report(
    path: Path, *, reference: pa.Table, current: pa.Table, numbers: Sequence[str], categories: Sequence[str],
    psi_limit: float,
) -> dict[str, float]:  # fmt: skip
    """Write the HTML to ``path`` and return Evidently's PSI by column.

    Columns without a single value on either side are left out: Evidently raises on them, and there is nothing to compare.
    Where no column is left, there is no report.
    """
    # Evidently reads this before it decides whether to report its use.
    os.environ.setdefault("DO_NOT_TRACK", "true")
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    frames = [_frame(table, numbers, categories) for table in (current, reference)]
    kept = [name for name in (*numbers, *categories) if all(frame[name].notna().any() for frame in frames)]
    if not kept:
        return {}
    definition = DataDefinition(
        numerical_columns=[name for name in numbers if name in kept],
        categorical_columns=[name for name in categories if name in kept],
    )
    report = Report([
        DataDriftPreset(num_method="psi", cat_method="psi", num_threshold=psi_limit, cat_threshold=psi_limit)
    ])  # fmt: skip
    datasets = [Dataset.from_pandas(frame[kept], data_definition=definition) for frame in frames]
    snapshot = report.run(*datasets)
    _save(snapshot, path)
    return {
        # It adds up categories in the order of a set of texts, which each process hashes in its own way: the last bits differ.
        metric["config"]["column"]: round(float(metric["value"]), _DIGITS)
        for metric in snapshot.dict()["metrics"]
        if metric["config"]["type"].endswith(":ValueDrift")
    }


def _frame(table: pa.Table, numbers: Sequence[str], categories: Sequence[str]) -> pd.DataFrame:
    frame: pd.DataFrame = table.select([*numbers, *categories]).to_pandas()
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _save(snapshot: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    snapshot.save_html(str(aside))
    sync_file(aside)
    replace_durably(aside, path)

"""Evidently's report of a night: the HTML for people, and its index of the features that the model gains most from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml_pipeline.domain.feature_matrix import FeatureEncoder
from ml_pipeline.io.drift_report import write_drift_report
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site


@dataclass(frozen=True)
class RequestedReport:
    """A report that was asked for: where it lies, and on which of the ``compared`` features both indices disagree."""

    path: Path
    compared: tuple[str, ...]
    disagreeing: tuple[str, ...]


def report_path(site: Site, night: Night) -> Path:
    """Where Evidently's report of a night lies, if there is one."""
    return site.reports / "drift" / f"{night}.html"


def write_report(
    site: Site, night: Night, bundle: ModelBundle, encoder: FeatureEncoder, *, reference: pa.Table, current: pa.Table
) -> dict[str, float]:  # fmt: skip
    """Compare samples of ``current`` and ``reference``, write the HTML, and return Evidently's index by feature."""
    monitoring, gains = site.project.monitoring, bundle.manifest["gain_by_feature"]
    leading = sorted(gains, key=lambda name: (-gains[name], name))[: monitoring.report_features]
    categories = [
        column.name for column in encoder.columns if column.contract.type == "category" and column.name in leading
    ]
    return write_drift_report(
        report_path(site, night), reference=_every_nth(reference, monitoring.report_rows),
        current=_every_nth(current, monitoring.report_rows), numbers=[name for name in leading if name not in categories],
        categories=categories, psi_limit=monitoring.psi_limit,
    )  # fmt: skip


def _every_nth(rows: pa.Table, wanted: int) -> pa.Table:
    """A sample of at most ``wanted`` rows that depends on nothing but the rows."""
    step = max(1, -(-rows.num_rows // wanted))
    return rows.take(pa.array(np.arange(0, rows.num_rows, step)))

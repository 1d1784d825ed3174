"""Joins scores with the outcomes that became known, and measures model and baseline, night by night."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import PERFORMANCE_SCHEMA
from ml_pipeline.domain.decision import mean_cost_of_acts
from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.io.table_store import PublishResult
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.judged_nights import (
    LONGEST_WINDOW_NIGHTS,
    Evidence,
    JudgedRows,
    JudgingPlan,
    judged_rows,
    plan_judging,
    read_evidence,
)
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import require_built

PERFORMANCE = "monitoring/performance"
_WINDOWS_NIGHTS = (1, 7, LONGEST_WINDOW_NIGHTS)


def measure_performance(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish, for each of ``nights``, how the scores did whose label horizon ends with it.

    Night ``N`` judges the night ``N - label horizon`` and the windows of 7 and 28 nights that end there, by the labels
    known to ``N``. Nights before the first scored one have nothing to judge and are published empty.
    """
    require_built(site, LABELS, tuple(sorted(set(nights))))
    plan = _plan(site, nights)
    stale = plan.stale
    if not stale:
        return PublishResult(PERFORMANCE, site.tables.version(PERFORMANCE), (), tuple(plan.inputs), 0)
    evidence = read_evidence(site, plan)
    entries = [entry for night in stale for entry in _measured(site, night, plan.judged[night], evidence)]
    rows = pa.Table.from_pylist(entries, schema=PERFORMANCE_SCHEMA)
    result = site.tables.publish(
        PERFORMANCE, rows, {night: plan.inputs[night] for night in stale}, key=["window_nights", "subject"]
    )
    publish_catalog(site)
    site.progress(f"{PERFORMANCE}: judged {len(stale)} nights")
    return result


def stale_performance(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never judged, or whose scores or labels have changed since."""
    return _plan(site, nights).stale


def _plan(site: Site, nights: Sequence[Night]) -> JudgingPlan:
    made_from = (site.project.label.model_dump(), site.project.decision.model_dump())
    return plan_judging(site, PERFORMANCE, nights, made_from=made_from)


def _measured(site: Site, night: Night, scored: Sequence[Night], evidence: Evidence) -> list[dict[str, object]]:
    if not scored:
        return []
    rows = judged_rows(site, night, scored, evidence)
    return [
        _entry(site, night, rows, window, subject)
        for window in _WINDOWS_NIGHTS for subject in ("model", "baseline")
    ]  # fmt: skip


def _entry(site: Site, night: Night, rows: JudgedRows, window: int, subject: str) -> dict[str, object]:
    in_window = rows.dates >= np.datetime64(nights_back(rows.last_night, window - 1))
    is_known = in_window & ~np.isnan(rows.labels)
    labels, acts = rows.labels[is_known], rows.acts[subject][is_known]
    return {
        SCORE_DATE: night, "last_scored_night": rows.last_night, "window_nights": window, "subject": subject,
        "rows_scored": int(in_window.sum()), "coverage": float(is_known.sum() / in_window.sum()),
        "mean_cost": mean_cost_of_acts(site.project.decision, labels, acts),
        **evaluate(labels, rows.probabilities[subject][is_known]).as_dict(),
    }  # fmt: skip

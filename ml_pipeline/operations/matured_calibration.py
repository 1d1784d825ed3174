"""Measures again, on scored nights whose outcomes are known, whether the probabilities mean what they say."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import CALIBRATION_SCHEMA
from ml_pipeline.domain.evaluation import equal_mass_bins
from ml_pipeline.domain.night_bootstrap import draw_nights
from ml_pipeline.domain.reliability import SliceCalibration, SliceColumn, slice_calibrations
from ml_pipeline.io.table_store import PublishResult
from ml_pipeline.nights import Night
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.evidence import SAMPLES, slice_columns
from ml_pipeline.operations.judged_nights import (
    LONGEST_WINDOW_NIGHTS,
    Evidence,
    JudgingPlan,
    judged_rows,
    plan_judging,
    read_evidence,
)
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import require_built

CALIBRATION = "monitoring/calibration"
_KEY = ("subject", "part", "feature", "value")


def measure_matured_calibration(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish, for each of ``nights``, the calibration over the 28 scored nights that end a label horizon before it.

    One row for all rows of the window, one for each bin of equal mass and one for each value of the declared slices and
    groups; for the model, and for the baseline on the same rows. Labels are those known to the night.
    """
    require_built(site, LABELS, tuple(sorted(set(nights))))
    plan = _plan(site, nights)
    stale = plan.stale
    if not stale:
        return PublishResult(CALIBRATION, site.tables.version(CALIBRATION), (), tuple(plan.inputs), 0)
    terms = site.project.promotion
    evidence = read_evidence(site, plan, (*terms.slices, *terms.groups))
    columns = slice_columns(terms, evidence.features) if evidence.scores.num_rows else ()
    entries = [entry for night in stale for entry in _measured(site, plan, night, evidence, columns)]
    rows = pa.Table.from_pylist(entries, schema=CALIBRATION_SCHEMA)
    result = site.tables.publish(CALIBRATION, rows, {night: plan.inputs[night] for night in stale}, key=_KEY)
    publish_catalog(site)
    site.progress(f"{CALIBRATION}: measured {len(stale)} nights")
    return result


def stale_calibration(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never measured, or whose scores or labels have changed since."""
    return _plan(site, nights).stale


def _plan(site: Site, nights: Sequence[Night]) -> JudgingPlan:
    terms = site.project.promotion.model_dump(include={"slices", "groups", "min_slice_rows"})
    made_from = (site.project.label.model_dump(), terms, site.project.training.seed, SAMPLES)
    return plan_judging(site, CALIBRATION, nights, made_from=made_from)


def _measured(
    site: Site, plan: JudgingPlan, night: Night, evidence: Evidence, columns: Sequence[SliceColumn]
) -> Iterator[dict[str, object]]:
    scored = plan.judged[night]
    if not scored:
        return
    rows = judged_rows(site, night, scored, evidence)
    known = np.flatnonzero(~np.isnan(rows.labels))
    if not len(known):
        return
    here = [column.of_rows(rows.first + known) for column in columns]
    draws = draw_nights(rows.dates[known], samples=SAMPLES, seed=site.project.training.seed)
    for subject, values in rows.probabilities.items():
        said = values[known]
        for part, column in (("all", _together(len(known))), ("bin", _bins(said)), *(("slice", one) for one in here)):
            found = slice_calibrations(
                column, rows.labels[known], said, draws, min_rows=site.project.promotion.min_slice_rows
            )
            yield from (
                {
                    SCORE_DATE: night, "last_scored_night": rows.last_night, "window_nights": LONGEST_WINDOW_NIGHTS,
                    "nights_scored": draws.counts.shape[1], "subject": subject, "part": part, **_facts(one),
                }
                for one in found
            )  # fmt: skip


def _together(rows: int) -> SliceColumn:
    return SliceColumn("", ("",), np.zeros(rows, dtype=np.int64))


def _bins(probabilities: NDArray[np.float64]) -> SliceColumn:
    """Bins as a column, numbered from 01 by rising probability."""
    bin_of_row = equal_mass_bins(probabilities)
    return SliceColumn("", tuple(f"{number:02d}" for number in range(1, int(bin_of_row.max()) + 2)), bin_of_row)


def _facts(one: SliceCalibration) -> dict[str, object]:
    return {
        "feature": one.feature, "value": one.value, "rows": one.rows, "mean_probability": one.mean_probability,
        "observed_share": one.observed_share, "gap": one.gap,
        "gap_low": None if math.isnan(one.low) else one.low, "gap_high": None if math.isnan(one.high) else one.high,
        "finding": one.finding,
    }  # fmt: skip

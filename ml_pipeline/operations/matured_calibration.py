"""Measures again, on scored nights whose outcomes are known, whether the probabilities mean what they say."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.missing_numbers import null_if_nan
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import CALIBRATION_SCHEMA
from ml_pipeline.domain.evaluation import equal_mass_bins
from ml_pipeline.domain.night_bootstrap import draw_nights
from ml_pipeline.domain.reliability import SliceCalibration, SliceColumn, slice_calibrations
from ml_pipeline.io.table_store import PublishResult
from ml_pipeline.nights import Night
from ml_pipeline.operations.evidence import SAMPLES
from ml_pipeline.operations.judged_nights import (
    LONGEST_WINDOW_NIGHTS,
    JudgedEvidence,
    JudgedTable,
    JudgingPlan,
    judged_rows,
    plan_judging,
    publish_judged,
)
from ml_pipeline.operations.site import Site

CALIBRATION = "monitoring/calibration"
_KEY = ("subject", "part", "feature", "value")


def measure_matured_calibration(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish, for each of ``nights``, the calibration over the 28 scored nights that end a label horizon before it.

    One row for all rows of the window, one for each bin of equal mass and one for each value of the declared slices and
    groups; for the model, and for the baseline on the same rows. Labels are those known to the night. Nights that a lower
    rung answered are left out and counted: that somebody else is off is no reason to recalibrate the champion.
    """
    terms = site.project.promotion

    def measured(night: Night, scored: Sequence[Night], evidence: JudgedEvidence) -> Iterator[dict[str, object]]:
        return _measured(site, night, scored, evidence)

    return publish_judged(
        site, _plan(site, nights), JudgedTable(CALIBRATION, CALIBRATION_SCHEMA, _KEY, measured),
        names=(*terms.slices, *terms.groups),
    )  # fmt: skip


def stale_calibration(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never measured, or whose scores or labels have changed since."""
    return _plan(site, nights).stale


def _plan(site: Site, nights: Sequence[Night]) -> JudgingPlan:
    terms = site.project.promotion.model_dump(include={"slices", "groups", "min_slice_rows"})
    made_from = (site.project.label.model_dump(), terms, site.project.training.seed, SAMPLES)
    return plan_judging(site, [CALIBRATION], nights, made_from=made_from)


def _measured(
    site: Site, night: Night, scored: Sequence[Night], evidence: JudgedEvidence
) -> Iterator[dict[str, object]]:
    rows = judged_rows(site, night, scored, evidence)
    rungs = evidence.scores["served_by"].slice(rows.first, len(rows.dates))
    is_champions = np.asarray(pc.equal(rungs, "champion"))
    known = np.flatnonzero(~np.isnan(rows.labels) & is_champions)
    if not len(known):
        return
    here = [column.of_rows(rows.first + known) for column in evidence.slices]
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
                    "fallback_nights": len(np.unique(rows.dates[~is_champions])),
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
        "gap_low": null_if_nan(one.low), "gap_high": null_if_nan(one.high),
        "finding": one.finding,
    }  # fmt: skip

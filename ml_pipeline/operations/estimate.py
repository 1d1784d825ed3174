"""Says how good the scores will prove before their labels come, and grades what was said once they have."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.missing_numbers import null_if_nan, nulls_for_nan
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.watched_scores import ESTIMATES_SCHEMA
from ml_pipeline.domain.decision import mean_cost_of_acts
from ml_pipeline.domain.evaluation import row_log_loss
from ml_pipeline.domain.maturity import NightMaturity, judge_maturity
from ml_pipeline.domain.performance_estimate import (
    EstimateGrade,
    GradedNight,
    PerformanceEstimate,
    estimate_performance,
    grade_estimates,
)
from ml_pipeline.io.table_store import PublishResult
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.judged_nights import (
    JudgedEvidence,
    JudgedRows,
    JudgedTable,
    JudgingPlan,
    judged_rows,
    plan_judging,
    publish_judged,
)
from ml_pipeline.operations.promises import ModelPromises
from ml_pipeline.operations.site import Site

ESTIMATES = "monitoring/estimates"
MATURED = "matured"

Floats = NDArray[np.float64]


def estimate_performance_of(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish, for each of ``nights``, what it expects of the scored nights that wait for labels, itself among them.

    Beside them stand the nights that matured with it: what was expected, what came, and whether the estimates of the model
    that scored last may be decided by. Labels are those known to the night.
    """
    promises = ModelPromises(site)

    def said(night: Night, scored: Sequence[Night], evidence: JudgedEvidence) -> Iterator[dict[str, object]]:
        return _said(site, night, scored, evidence, promises)

    return publish_judged(site, _plan(site, nights), JudgedTable(ESTIMATES, ESTIMATES_SCHEMA, ("scored_night",), said))


def stale_estimates(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that said nothing yet, or whose scores or labels have changed since."""
    return _plan(site, nights).stale


def _plan(site: Site, nights: Sequence[Night]) -> JudgingPlan:
    project = site.project
    made_from = (project.label.model_dump(), project.decision.model_dump(), project.estimates.model_dump())
    return plan_judging(site, [ESTIMATES], nights, made_from=made_from, with_waiting=True)


@dataclass(frozen=True)
class _ScoredNight:
    """One scored night as a later one knows it; ``is_known`` marks the rows with a label."""

    night: Night
    served_by: str
    model_version: str
    maturity: NightMaturity
    probabilities: Floats
    labels: Floats
    acts: Mapping[str, NDArray[np.bool_]]

    @property
    def is_matured(self) -> bool:
        return self.maturity.state == MATURED

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which rows are measured: of a matured night those with a label, else all."""
        return ~np.isnan(self.labels) if self.is_matured else np.ones(len(self.labels), dtype=np.bool_)


def _said(
    site: Site, night: Night, scored: Sequence[Night], evidence: JudgedEvidence, promises: ModelPromises
) -> Iterator[dict[str, object]]:
    known = _nights(site, night, judged_rows(site, night, scored, evidence), evidence)
    grade = _grade(site, known)
    landed = _landed_tonight(site, night, known, evidence)
    for one in known:
        if one.is_matured and one.night not in landed:
            continue
        promised = promises.log_loss(one.model_version, "baseline" if one.served_by == "baseline" else "model")
        yield {SCORE_DATE: night, **_facts(site, one), "promised_log_loss": promised, "served_by": one.served_by,
               "is_trusted": grade.is_trusted, "graded_error": null_if_nan(grade.error), "nights_graded": grade.nights,
               "reasons": "; ".join(grade.reasons)}  # fmt: skip


def _nights(site: Site, night: Night, rows: JudgedRows, evidence: JudgedEvidence) -> list[_ScoredNight]:
    rungs, versions = evidence.scores.column("served_by"), evidence.scores.column("model_version")
    dates, starts, counts = np.unique(rows.dates, return_index=True, return_counts=True)
    found = []
    for date, start, count in zip(dates.tolist(), starts, counts, strict=True):
        part = slice(int(start), int(start + count))
        labels = rows.labels[part]
        found.append(_ScoredNight(
            date, str(rungs[rows.first + int(start)].as_py()), str(versions[rows.first + int(start)].as_py()),
            judge_maturity(site.project.label, date, labels, tonight=night),
            rows.probabilities["model"][part], labels, {subject: acts[part] for subject, acts in rows.acts.items()},
        ))  # fmt: skip
    return found


def _grade(site: Site, known: Sequence[_ScoredNight]) -> EstimateGrade:
    """By the matured nights of the champion that scored last: that others were right says nothing of it."""
    by_champion = [one for one in known if one.served_by == "champion"]
    own = [one for one in by_champion if one.is_matured and one.model_version == by_champion[-1].model_version]
    graded = [
        GradedNight(one.night, int(one.measured.sum()), _estimate(site, one).log_loss, _realised_log_loss(one)) for one in own
    ]  # fmt: skip
    grade = grade_estimates(site.project.estimates, graded)
    left_out = len(known) - len(by_champion)
    if not left_out:
        return grade
    told = f"{left_out} of {len(known)} scored nights are left out: a lower rung than the champion answered them"
    return replace(grade, reasons=(*grade.reasons, told))


def _landed_tonight(
    site: Site, night: Night, known: Sequence[_ScoredNight], evidence: JudgedEvidence
) -> set[Night]:  # fmt: skip
    """The matured nights that had not matured the night before; only these can be: labels came, or the horizon ended."""
    before = nights_back(night, 1)
    tonight = evidence.labels.filter(pc.equal(evidence.labels[SCORE_DATE], pa.scalar(night)))
    due = {nights_back(night, site.project.label.horizon_nights), *tonight["labelled_date"].unique().to_pylist()}
    landed = set()
    for one in known:
        if one.is_matured and one.night in due:
            labels = judged_rows(site, before, [one.night], evidence).labels
            if judge_maturity(site.project.label, one.night, labels, tonight=before).state != MATURED:
                landed.add(one.night)
    return landed


def _estimate(site: Site, one: _ScoredNight) -> PerformanceEstimate:
    is_measured = one.measured
    return estimate_performance(one.probabilities[is_measured], one.acts["model"][is_measured], site.project.decision)


def _realised_log_loss(one: _ScoredNight) -> float:
    is_measured = one.measured
    losses = row_log_loss(one.labels[is_measured], one.probabilities[is_measured])
    return float(losses.mean()) if len(losses) else math.nan


def _facts(site: Site, one: _ScoredNight) -> dict[str, object]:
    costs, is_measured, expected = site.project.decision, one.measured, _estimate(site, one)
    baseline = estimate_performance(one.probabilities[is_measured], one.acts["baseline"][is_measured], costs)
    realised, cost = math.nan, math.nan
    if one.is_matured:
        realised = _realised_log_loss(one)
        cost = mean_cost_of_acts(costs, one.labels[is_measured], one.acts["model"][is_measured])
    numbers = {
        "coverage": one.maturity.coverage, "expected_log_loss": expected.log_loss,
        "log_loss_deviation": expected.log_loss_deviation, "expected_brier": expected.brier,
        "expected_roc_auc": expected.roc_auc, "expected_cost": expected.mean_cost,
        "expected_baseline_cost": baseline.mean_cost, "realised_log_loss": realised, "realised_cost": cost,
        "error": realised - expected.log_loss,
    }  # fmt: skip
    return {
        "scored_night": one.night, "model_version": one.model_version, "state": one.maturity.state,
        "rows_scored": one.maturity.rows, "rows": expected.rows,
        **nulls_for_nan(numbers),
    }  # fmt: skip

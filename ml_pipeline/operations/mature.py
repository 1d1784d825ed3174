"""Joins scores with the outcomes that became known, and measures model and baseline, night by night."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import PERFORMANCE_SCHEMA
from ml_pipeline.domain.decision import mean_cost
from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.io.table_store import NightInputs, PublishedNight, PublishResult, stale_nights
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import require_built

PERFORMANCE = "monitoring/performance"
_WINDOWS_NIGHTS = (1, 7, 28)
_NO_BASELINE = 0.5


def measure_performance(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish, for each of ``nights``, how the scores did whose label horizon ends with it.

    Night ``N`` judges the night ``N - label horizon`` and the windows of 7 and 28 nights that end there, by the labels
    known to ``N``. Nights before the first scored one have nothing to judge and are published empty.
    """
    require_built(site, LABELS, tuple(sorted(set(nights))))
    plan = _plan(site, nights)
    stale = stale_nights(plan.inputs, plan.published[PERFORMANCE])
    if not stale:
        return PublishResult(PERFORMANCE, site.tables.version(PERFORMANCE), (), tuple(plan.inputs), 0)
    judged = plan.judged
    evidence = _read_evidence(site, {night: judged[night] for night in stale}, plan.published[LABELS])
    entries = [entry for night in stale for entry in _measured(site, night, judged[night], evidence)]
    rows = pa.Table.from_pylist(entries, schema=PERFORMANCE_SCHEMA)
    result = site.tables.publish(
        PERFORMANCE, rows, {night: plan.inputs[night] for night in stale}, key=["window_nights", "subject"]
    )
    publish_catalog(site)
    site.progress(f"{PERFORMANCE}: judged {len(stale)} nights")
    return result


def stale_performance(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never judged, or whose scores or labels have changed since."""
    plan = _plan(site, nights)
    return stale_nights(plan.inputs, plan.published[PERFORMANCE])


@dataclass(frozen=True)
class _Plan:
    """For each night the scored nights that it judges, and a hash of all that it would be measured from."""

    published: dict[str, dict[Night, PublishedNight]]
    judged: dict[Night, list[Night]]
    inputs: dict[Night, NightInputs]


def _plan(site: Site, nights: Sequence[Night]) -> _Plan:
    site.calendar.require(nights)
    published = {table: site.tables.published(table) for table in (SCORES, LABELS, PERFORMANCE)}
    judged = {night: _scored_nights(site, night, published[SCORES]) for night in sorted(set(nights))}
    inputs = {night: _inputs(site, night, judged[night], published) for night in judged}
    return _Plan(published, judged, inputs)


@dataclass(frozen=True)
class _Evidence:
    """Scores and labels of all nights that are judged in one call, both sorted by ``score_date``."""

    scores: pa.Table
    baseline: NDArray[np.float64]
    labels: pa.Table


def _scored_nights(site: Site, night: Night, scores: Container[Night]) -> list[Night]:
    """The nights that ``night`` judges: those scored, of the longest window that ends a label horizon before it."""
    last = nights_back(night, site.project.label.horizon_nights)
    window = nights_between(nights_back(last, max(_WINDOWS_NIGHTS) - 1), last)
    return [past for past in window if past in scores] if last in scores else []


def _inputs(
    site: Site, night: Night, scored: Sequence[Night], published: Mapping[str, Mapping[Night, PublishedNight]]
) -> NightInputs:
    known = [past for past in nights_between(scored[0], night) if past in published[LABELS]] if scored else []
    return NightInputs.made_from(
        [published[SCORES][past].content_hash for past in scored],
        [published[LABELS][past].content_hash for past in known],
        site.project.label.model_dump(),
        site.project.decision.model_dump(),
    )


def _read_evidence(site: Site, judged: Mapping[Night, Sequence[Night]], label_nights: Iterable[Night]) -> _Evidence:
    scored = sorted(set().union(*judged.values()))
    known = [night for night in label_nights if scored and scored[0] <= night <= max(judged)]
    scores = site.tables.read(SCORES, scored) if scored else pa.table({SCORE_DATE: pa.array([], pa.date32())})
    baseline = baseline_of(site, scores, scored) if scored else np.empty(0)
    return _Evidence(scores, baseline, site.tables.read(LABELS, known))


def _measured(site: Site, night: Night, scored: Sequence[Night], evidence: _Evidence) -> list[dict[str, object]]:
    if not scored:
        return []
    last = scored[-1]
    span = _span(evidence.scores, scored[0], last)
    rows = evidence.scores.slice(span.start, span.stop - span.start)
    known = _span(evidence.labels, scored[0], night)
    labels = match_labels(rows, evidence.labels.slice(known.start, known.stop - known.start), site.project.entity_key)
    probabilities = {"model": rows.column("probability").to_numpy(), "baseline": evidence.baseline[span]}
    dates, thresholds = rows.column(SCORE_DATE).to_numpy(), rows.column("threshold").to_numpy()
    entries = []
    for window in _WINDOWS_NIGHTS:
        in_window = dates >= np.datetime64(nights_back(last, window - 1))
        is_known = in_window & ~np.isnan(labels)
        for subject, values in probabilities.items():
            metrics = evaluate(labels[is_known], values[is_known]).as_dict()
            cost = mean_cost(site.project.decision, labels[is_known], values[is_known], thresholds[is_known])
            entries.append({
                SCORE_DATE: night, "last_scored_night": last, "window_nights": window, "subject": subject,
                "rows_scored": int(in_window.sum()), "coverage": float(is_known.sum() / in_window.sum()),
                "mean_cost": cost, **metrics,
            })  # fmt: skip
    return entries


def _span(rows: pa.Table, first: Night, last: Night) -> slice:
    """Positions of nights ``first`` to ``last`` in rows sorted by ``score_date``."""
    dates = rows.column(SCORE_DATE).to_numpy()
    return slice(
        int(dates.searchsorted(np.datetime64(first), "left")), int(dates.searchsorted(np.datetime64(last), "right"))
    )


def baseline_of(site: Site, rows: pa.Table, nights: Sequence[Night]) -> NDArray[np.float64]:
    """The baseline's probability of each scored row, from the feature set that the row was scored with."""
    key = [SCORE_DATE, *site.project.entity_key]
    feature = site.project.baseline.feature
    versions = sorted(set(rows.column("feature_set_version").to_pylist()))
    parts = []
    for version in versions:
        part = site.tables.read(f"features/{version}", nights, [*key, feature])
        parts.append(part.append_column("feature_set_version", pa.repeat(pa.scalar(version), part.num_rows)))
    wanted = [*key, "feature_set_version"]
    numbered = rows.select(wanted).append_column("_position", pa.array(np.arange(rows.num_rows)))
    matched = numbered.join(pa.concat_tables(parts), wanted, join_type="left outer").sort_by("_position")
    values = matched.column(feature).to_numpy().astype(np.float64)
    return np.where(np.isnan(values), _NO_BASELINE, values)

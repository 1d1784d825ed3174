"""The short account of an installation: what was landed, scored, and how good it turned out to be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_pipeline.domain.evaluation import Metrics, evaluate
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.nights import Night
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.judged_nights import baseline_of, features_of
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site


@dataclass(frozen=True)
class Summary:
    """Counts of all that is published, and metrics of the scored nights pooled, over rows with a known label."""

    nights_landed: int
    rows_landed: int
    rows_quarantined: int
    nights_scored: int
    rows_scored: int
    model: Metrics
    baseline: Metrics


def summarise(site: Site, nights: Sequence[Night]) -> Summary:
    """Account for the installation, and judge ``nights`` by the labels that are known now."""
    landed = {source: site.tables.published(f"raw/{source}") for source in site.sql.sources}
    facts = [night.facts for nights_of_source in landed.values() for night in nights_of_source.values()]
    published = site.tables.published(SCORES)
    scored = [night for night in nights if night in published]
    rows = site.tables.read(SCORES, scored)
    known = [night for night in site.tables.published(LABELS) if scored and night >= scored[0]]
    labels = match_labels(rows, site.tables.read(LABELS, known), site.project.entity_key)
    is_known = ~np.isnan(labels)
    probabilities = rows.column("probability").to_numpy()
    features = features_of(site, rows, scored, (site.project.baseline.feature,))
    return Summary(
        nights_landed=max(len(nights_of_source) for nights_of_source in landed.values()),
        rows_landed=sum(fact["landed"] for fact in facts),
        rows_quarantined=sum(fact["quarantined"] for fact in facts),
        nights_scored=len(scored),
        rows_scored=rows.num_rows,
        model=evaluate(labels[is_known], probabilities[is_known]),
        baseline=evaluate(labels[is_known], baseline_of(site, features)[is_known]),
    )

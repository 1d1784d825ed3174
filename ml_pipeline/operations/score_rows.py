"""The rows of ``scores``: what a bundle says of feature rows. Nothing is published here."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.project import ExplainedRows
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import scores_schema
from ml_pipeline.domain.decision import Decisions, decide_rows
from ml_pipeline.domain.other_levels import landed_others
from ml_pipeline.domain.scoring import REASON_COUNT, Scorer, explain, ranks, raw_scores
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.row_order import in_order
from ml_pipeline.nights import Night
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.site import Site, features_table

AS_OF = "as_of"
_ROWS_AT_ONCE = 100_000


def score_nights(
    site: Site, bundle: ModelBundle, nights: Sequence[Night], *, version: int, explained: ExplainedRows | None = None
) -> pa.Table:
    """The ``scores`` rows of ``nights`` by ``bundle``, from its built features as of ``version``; publishes nothing.

    A part of the nights at a time: features are eight times as wide as scores, and a year of them need not be held.
    As many parts side by side as there are threads.
    """
    table = features_table(bundle.feature_set)
    rows = {night: facts.rows for night, facts in site.tables.published(table, nights, version=version).items()}
    scorer, batches = load_scorer(bundle), [*_batches(nights, rows)]
    workers = min(site.threads, len(batches))
    part = site if workers == 1 else replace(site, threads=1)

    def scored(few: Sequence[Night]) -> pa.Table:
        features = part.tables.read(table, few, version=version)
        return score_rows(part, bundle, features, explained=explained, scorer=scorer)

    with ThreadPoolExecutor(workers) as pool:
        return pa.concat_tables(pool.map(scored, batches))


def _batches(nights: Sequence[Night], rows: Mapping[Night, int]) -> Iterator[list[Night]]:
    batch: list[Night] = []
    for night in sorted(nights):
        if batch and sum(rows[each] for each in batch) + rows[night] > _ROWS_AT_ONCE:
            yield batch
            batch = []
        batch.append(night)
    yield batch


def score_rows(
    site: Site,
    bundle: ModelBundle,
    features: pa.Table,
    *,
    explained: ExplainedRows | None = None,
    scorer: Scorer | None = None,
) -> pa.Table:
    """The ``scores`` rows of feature rows ``features`` by ``bundle``, in night and key order; publishes nothing.

    ``explained`` overrules which rows the bundle's project wants explained; ``scorer`` is that of the bundle, if it is
    there already.
    """
    scorer = scorer or load_scorer(bundle)
    project = bundle.feature_set.project
    key = project.entity_key
    features = in_order(features, (SCORE_DATE, *key))
    matrix = scorer.encoder.transform(features)
    score = raw_scores(scorer, matrix, threads=site.threads)
    probability = scorer.calibrator.probability(score)
    acts = _decisions(bundle, scorer, features, score=score, probability=probability).acts
    wanted = _to_explain(explained or project.scoring.explained_rows, acts)
    reasons = np.full((len(matrix), REASON_COUNT), None, dtype=object)
    landed = {position: texts[wanted] for position, texts in landed_others(scorer.encoder, features, matrix).items()}
    reasons[wanted] = explain(scorer, matrix[wanted], threads=site.threads, landed=landed)
    dates = features.column(SCORE_DATE).to_numpy()
    nights, places = np.unique(dates, return_inverse=True)
    cutoffs = pa.array([site.calendar.cutoff(night.item()) for night in nights], pa.timestamp("us", tz="UTC"))
    # A copy: a column as it was read keeps every column that was read with it.
    identity = features.select([SCORE_DATE, *key]).take(pa.array(np.arange(features.num_rows)))
    columns = {
        **{name: identity.column(name) for name in identity.column_names},
        "cutoff_at": cutoffs.take(pa.array(places)),
        "score": score,
        "probability": probability,
        "rank": ranks(dates, probability),
        "decision": acts,
        **{f"reason_{place + 1}": reasons[:, place] for place in range(REASON_COUNT)},
        **_constants(site, bundle, scorer, features.num_rows),
    }
    schema = scores_schema([features.schema.field(name) for name in key])
    return pa.table([_as_array(columns[field.name], field.type) for field in schema], schema=schema)


def _to_explain(explained: ExplainedRows, acts: NDArray[np.bool_]) -> NDArray[np.bool_] | slice:
    match explained:
        case "every":
            return slice(None)
        case "acted_on":
            return acts
        case "none":
            return slice(0)


def _decisions(
    bundle: ModelBundle, scorer: Scorer, features: pa.Table, *, score: NDArray[np.float64], probability: NDArray[np.float64]
) -> Decisions:  # fmt: skip
    """By the costs or the capacity that the bundle was trained with, as its threshold is."""
    project = bundle.feature_set.project
    keys = features.select([SCORE_DATE, *project.entity_key])
    return decide_rows(project.decision, scorer.threshold, keys, probability=probability, score=score)


def _constants(site: Site, bundle: ModelBundle, scorer: Scorer, rows: int) -> dict[str, pa.Array]:
    values = {
        "threshold": scorer.threshold, "served_by": "champion", "model_name": site.project.name,
        "model_version": bundle.version, "feature_set_version": bundle.manifest["feature_set_version"],
        "backfill_policy": AS_OF,
    }  # fmt: skip
    return {name: pa.repeat(pa.scalar(value), rows) for name, value in values.items()}


def _as_array(values: object, wanted: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return values.cast(wanted) if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, wanted)

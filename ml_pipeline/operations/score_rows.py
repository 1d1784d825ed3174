"""The rows of ``scores``: what a bundle says of feature rows. Nothing is published here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.project import ExplainedRows
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import scores_schema
from ml_pipeline.domain.decision import decide_rows
from ml_pipeline.domain.other_levels import landed_others
from ml_pipeline.domain.scoring import REASON_COUNT, Scorer, explain, ranks, raw_scores
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.row_order import in_order
from ml_pipeline.io.table_rows import FileSlice
from ml_pipeline.nights import Night
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.site import Site, features_table

AS_OF = "as_of"
_ROWS_AT_ONCE, _ROWS_A_SLICE = 100_000, 65_536


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
        if rows[few[0]] > _ROWS_AT_ONCE:
            return _score_large_night(site, bundle, scorer, few[0], version=version, explained=explained)
        features = part.tables.read(table, few, version=version)
        return score_rows(part, bundle, features, explained=explained, scorer=scorer)

    with ThreadPoolExecutor(workers) as pool:
        return pa.concat_tables(pool.map(scored, batches))


def _score_large_night(
    site: Site, bundle: ModelBundle, scorer: Scorer, night: Night, *, version: int, explained: ExplainedRows | None
) -> pa.Table:  # fmt: skip
    """One night in slices, side by side: its features may not fit into memory, its scores do.

    Rank and decision are of the whole night, so the reasons of what is acted on need the features a second time.
    """
    table, key = features_table(bundle.feature_set), bundle.feature_set.project.entity_key
    parts = site.tables.slices(table, night, version=version, most_rows=_ROWS_A_SLICE)

    def scored(part: FileSlice) -> tuple[pa.Table, NDArray[np.float64]]:
        features = site.tables.read_slice(table, part, version=version)
        score = raw_scores(scorer, scorer.encoder.transform(features), threads=1)
        return _identity(features, key), score

    def explained_rows(part: FileSlice, wanted: NDArray[np.bool_]) -> NDArray[np.object_]:
        if not wanted.any():
            return np.empty((0, REASON_COUNT), dtype=object)
        features = site.tables.read_slice(table, part, version=version)
        return _reasons(scorer, features, scorer.encoder.transform(features), wanted, threads=1)

    with ThreadPoolExecutor(site.threads) as pool:
        identities, scores = zip(*pool.map(scored, parts), strict=True)
        ends = np.cumsum([len(score) for score in scores])

        def reasons(wanted: NDArray[np.bool_]) -> NDArray[np.object_]:
            return np.concatenate([*pool.map(explained_rows, parts, np.split(wanted, ends[:-1]))])

        return _rows(
            site,
            bundle,
            scorer,
            pa.concat_tables(identities),
            np.concatenate(scores),
            explained=explained,
            reasons=reasons,
        )


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
    key = bundle.feature_set.project.entity_key
    features = in_order(features, (SCORE_DATE, *key))
    matrix = scorer.encoder.transform(features)
    score = raw_scores(scorer, matrix, threads=site.threads)
    return _rows(
        site, bundle, scorer, _identity(features, key), score, explained=explained,
        reasons=lambda wanted: _reasons(scorer, features, matrix, wanted, threads=site.threads),
    )  # fmt: skip


def _reasons(
    scorer: Scorer, features: pa.Table, matrix: NDArray[np.float32], wanted: NDArray[np.bool_], *, threads: int
) -> NDArray[np.object_]:  # fmt: skip
    landed = {position: texts[wanted] for position, texts in landed_others(scorer.encoder, features, matrix).items()}
    return explain(scorer, matrix[wanted], threads=threads, landed=landed)


def _identity(features: pa.Table, key: Sequence[str]) -> pa.Table:
    # A copy: a column as it was read keeps every column that was read with it.
    return features.select([SCORE_DATE, *key]).take(pa.array(np.arange(features.num_rows)))


def _rows(
    site: Site, bundle: ModelBundle, scorer: Scorer, identity: pa.Table, score: NDArray[np.float64], *,
    explained: ExplainedRows | None, reasons: Callable[[NDArray[np.bool_]], NDArray[np.object_]],
) -> pa.Table:  # fmt: skip
    """The ``scores`` rows of whole nights; ``reasons`` gives those of the rows that a mask names, shape (rows named, 3)."""
    project = bundle.feature_set.project
    probability = scorer.calibrator.probability(score)
    # By the costs or the capacity that the bundle was trained with, as its threshold is.
    acts = decide_rows(project.decision, scorer.threshold, identity, probability=probability, score=score).acts
    wanted = _to_explain(explained or project.scoring.explained_rows, acts)
    dates = identity.column(SCORE_DATE).to_numpy()
    nights, places = np.unique(dates, return_inverse=True)
    cutoffs = pa.array([site.calendar.cutoff(night.item()) for night in nights], pa.timestamp("us", tz="UTC"))
    columns = {
        **{name: identity.column(name) for name in identity.column_names},
        "cutoff_at": cutoffs.take(pa.array(places)),
        "score": score,
        "probability": probability,
        "rank": ranks(dates, probability),
        "decision": acts,
        **_reason_columns(wanted, reasons),
        **_constants(site, bundle, scorer, identity.num_rows),
    }
    schema = scores_schema([identity.schema.field(name) for name in project.entity_key])
    return pa.table([_as_array(columns[field.name], field.type) for field in schema], schema=schema)


def _reason_columns(
    wanted: NDArray[np.bool_], reasons: Callable[[NDArray[np.bool_]], NDArray[np.object_]]
) -> dict[str, pa.Array]:  # fmt: skip
    """Each of the reasons, null where none was wanted."""
    found = reasons(wanted) if wanted.any() else np.empty((0, REASON_COUNT), dtype=object)
    places = pa.array(np.cumsum(wanted) - 1, mask=~wanted)
    return {f"reason_{place + 1}": pa.array(found[:, place], pa.string()).take(places) for place in range(REASON_COUNT)}


def _to_explain(explained: ExplainedRows, acts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    match explained:
        case "every":
            return np.ones_like(acts)
        case "acted_on":
            return acts
        case "none":
            return np.zeros_like(acts)


def _constants(site: Site, bundle: ModelBundle, scorer: Scorer, rows: int) -> dict[str, pa.Array]:
    values = {
        "threshold": scorer.threshold, "served_by": "champion", "model_name": site.project.name,
        "model_version": bundle.version, "feature_set_version": bundle.manifest["feature_set_version"],
        "backfill_policy": AS_OF,
    }  # fmt: skip
    return {name: pa.repeat(pa.scalar(value), rows) for name, value in values.items()}


def _as_array(values: object, wanted: pa.DataType) -> pa.Array | pa.ChunkedArray:
    return values.cast(wanted) if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, wanted)

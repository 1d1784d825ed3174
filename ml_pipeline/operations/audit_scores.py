"""Audits published scores against the training path: the same rows, the same numbers, the same probability."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.feature_matrix import FeatureEncoder
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.nights import Night, contiguous_runs, nights_back, nights_between
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import labelled_rows, require_built

_LONGEST_RANGE_NIGHTS = 10
_BASELINE = "baseline"


@dataclass(frozen=True)
class _Rows:
    """Feature rows in (score_date, key) order, and the matrix that an encoder makes of them."""

    rows: pa.Table
    key: Sequence[str]
    matrix: NDArray[np.float32]

    @classmethod
    def of(cls, rows: pa.Table, key: Sequence[str], encoder: FeatureEncoder) -> "_Rows":
        rows = rows.sort_by([(name, "ascending") for name in (SCORE_DATE, *key)])
        return cls(rows, key, encoder.transform(rows))

    @property
    def identity(self) -> pa.Table:
        return self.rows.select([SCORE_DATE, *self.key])


def train_score_skew(site: Site, nights: Sequence[Night]) -> Audit:
    """Compute the features of scored nights again as a training gets them, and their probabilities from these.

    Each run of nights is built in one range with the night before it, by the present runner from the SQL of the bundle
    that scored them, and encoded by the bundle. Held against it, bit for bit: the numbers that scoring was given, those
    that a training is given of the rows with a known label, and the published probabilities. A trial is a cell of a
    matrix, or a row of scores; what the baseline served is not tried. A violation names night and feature.

    Raises:
        LookupError: one of ``nights`` was never scored. BundleError: a bundle is missing or damaged.
    """
    wanted = sorted(set(nights))
    require_built(site, SCORES, tuple(wanted))
    scores = site.tables.read(SCORES, wanted)
    scores = scores.filter(pc.not_equal(scores.column("served_by"), _BASELINE))
    trials, violations = 0, []
    for version in sorted(pc.unique(scores.column("model_version")).to_pylist()):
        bundle = read_bundle(site.models, version)
        mine = scores.filter(pc.equal(scores.column("model_version"), version))
        for first, last in contiguous_runs(
            pc.unique(mine.column(SCORE_DATE)).to_pylist(), longest=_LONGEST_RANGE_NIGHTS
        ):
            cells, told = _skew(site, bundle, _between(mine, first, last), first, last)
            trials += cells
            violations.extend(told)
    return Audit(trials, tuple(violations))


def _skew(site: Site, bundle: ModelBundle, scores: pa.Table, first: Night, last: Night) -> tuple[int, list[str]]:
    scorer, sql = load_scorer(bundle), bundle.feature_set
    key, table = sql.project.entity_key, features_table(sql)
    start = max(nights_back(first, 1), site.calendar.first_night)
    again = _between(site.runner(sql).build_features(start, last), first, last)
    own = _Rows.of(again, key, scorer.encoder)
    given = _Rows.of(site.tables.read(table, nights_between(first, last)), key, scorer.encoder)
    told = [f"{what}, scoring" for what in _other_cells(scorer.encoder, given, own)]
    trained, labelled = _as_trained(site, table, own, scorer.encoder, first=first, last=last)
    told += [f"{what}, training" for what in _other_cells(scorer.encoder, trained, labelled)]
    raw = raw_scores(scorer, own.matrix, threads=site.threads)
    told += _other_probabilities(own, scores, scorer.calibrator.probability(raw))
    return own.matrix.size + labelled.matrix.size + scores.num_rows, [
        f"{what} (model {bundle.version})" for what in told
    ]


def _as_trained(
    site: Site, table: str, own: _Rows, encoder: FeatureEncoder, *, first: Night, last: Night
) -> tuple[_Rows, _Rows]:
    """Those rows that have a label by now: as a training reads them, and as they were built again; none if none has."""
    published = site.tables.published(LABELS)
    until = [night for night in nights_between(first, max(published, default=first)) if night in published]
    # A training needs the labels of every night from its first on.
    runs = [run for run in contiguous_runs(until, longest=len(until) or 1) if run[0] == first and run[1] >= last]
    if not runs:
        empty = _Rows.of(own.rows.slice(0, 0), own.key, encoder)
        return empty, empty
    known_by = runs[0][1]
    read = labelled_rows(site, table, first=first, last=last, known_by=known_by)
    labels = match_labels(own.rows, site.tables.read(LABELS, nights_between(first, known_by)), own.key)
    labelled = own.rows.filter(pa.array(~np.isnan(labels)))
    return _Rows(read.rows, own.key, encoder.transform(read.rows)), _Rows.of(labelled, own.key, encoder)


def _other_cells(encoder: FeatureEncoder, given: _Rows, own: _Rows) -> Iterator[str]:
    if not given.identity.equals(own.identity):
        yield f"{given.rows.num_rows} rows where {own.rows.num_rows} are built again, or others"
        return
    # Bits, not values: NaN is a value like any other here, and so is the sign of a zero.
    differs = given.matrix.view(np.uint32) != own.matrix.view(np.uint32)
    for place in np.flatnonzero(differs.any(axis=0)):
        row = int(np.flatnonzero(differs[:, place])[0])
        yield (
            f"{given.rows.column(SCORE_DATE)[row]}: feature {encoder.names[place]} differs in {int(differs[:, place].sum())} "
            f"of {len(differs)} rows, first {given.matrix[row, place]} where {own.matrix[row, place]} is built again"
        )


def _other_probabilities(own: _Rows, scores: pa.Table, again: NDArray[np.float64]) -> Iterator[str]:
    scores = scores.sort_by([(name, "ascending") for name in (SCORE_DATE, *own.key)])
    if not scores.select(own.identity.schema.names).equals(own.identity):
        yield f"{scores.num_rows} scores for {own.rows.num_rows} rows, or for others"
        return
    published = scores.column("probability").to_numpy()
    differs = np.flatnonzero(published.view(np.uint64) != again.view(np.uint64))
    if len(differs):
        row = int(differs[0])
        yield (
            f"{scores.column(SCORE_DATE)[row]}: probability differs in {len(differs)} of {len(again)} rows, first "
            f"{published[row]} published where {again[row]} is computed again"
        )


def _between(rows: pa.Table, first: Night, last: Night) -> pa.Table:
    dates = rows.column(SCORE_DATE)
    return rows.filter(pc.and_(pc.greater_equal(dates, first), pc.less_equal(dates, last)))

"""Replays the past, month by month: a model as of the first night of each month, judged on that month's nights.

The models are made by the functions that a training uses, from the partitions and labels that a training as of that night
would have had. They are judged on nights that none of them has seen, beside the declared baseline and the other simple
models. Neither bundles nor versions come of it. Predictions are kept in memory only, so all months are replayed together:
areas and calibration of the pooled nights cannot be put together from those of the months.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import BACKTEST_SCHEMA
from ml_pipeline.domain.backtest_entries import MODEL, Predictions, entries, pooled
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.domain.simple_models import fit_simple_models
from ml_pipeline.io.code_version import code_version, package_versions
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.backtest_report import draw_backtest, report_path
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.train import fit_model, what_can_change_a_model
from ml_pipeline.operations.training_rows import open_split, require_built
from ml_pipeline.operations.tuned_training import newest_tuning, require_unseen, with_tuning

BACKTEST = "monitoring/backtest"
_SAMPLES = 200


@dataclass(frozen=True)
class Backtest:
    """A finished backtest; ``published.changed`` is empty if the same inputs gave it before.

    ``rows`` are those of ``monitoring/backtest`` for its months: one per span, subject and metric. The span of all months
    together stands with the last one.
    """

    months: tuple[Night, ...]
    rows: pa.Table
    published: PublishResult


def run_backtest(site: Site, first_month: Night, last_month: Night) -> Backtest:
    """Publish how a model of each month from ``first_month`` to ``last_month`` did, and draw the report.

    Labels are those known a label horizon after the last month: of the rows, all but stragglers.

    Args:
        site: the installation.
        first_month: the first night of the first month.
        last_month: the first night of the last month.

    Raises:
        ValueError: these are no months in order, or there is too little history before the first.
        LookupError: features or labels of a needed night are missing; names them and what to materialise.
    """
    months = _months(first_month, last_month)
    inputs = _inputs(site, months)
    if stale_nights(inputs, site.tables.published(BACKTEST)):
        rows = pa.Table.from_pylist(_replayed(site, months), schema=BACKTEST_SCHEMA)
        published = site.tables.publish(BACKTEST, rows, inputs, key=["is_pooled", "subject", "metric"])
        publish_catalog(site)
    else:
        published = PublishResult(BACKTEST, site.tables.version(BACKTEST), (), months, 0)
    backtest = Backtest(months, site.tables.read(BACKTEST, months), published)
    if published.changed or not report_path(site).exists():
        draw_backtest(site, backtest.rows)
    return backtest


def stale_backtest(site: Site, first_month: Night, last_month: Night) -> list[Night]:
    """Months that were never replayed, or not from what is there now."""
    return stale_nights(_inputs(site, _months(first_month, last_month)), site.tables.published(BACKTEST))


def nights_needed(site: Site, last_month: Night) -> tuple[Night, Night]:
    """The last night whose features, and the last one whose labels a backtest up to ``last_month`` reads."""
    last = _nights(site, last_month)[-1]
    known_by = nights_back(last, -site.project.label.horizon_nights)
    return last, min(known_by, site.project.last_night or known_by)


def _months(first: Night, last: Night) -> tuple[Night, ...]:
    if (first.day, last.day) != (1, 1) or last < first:
        raise ValueError(
            f"a backtest goes from month to month, named by their first nights; not from {first} to {last}"
        )
    return tuple(night for night in nights_between(first, last) if night.day == 1)


def _nights(site: Site, month: Night) -> tuple[Night, ...]:
    """The nights of the month that begins with ``month``, as far as the project goes."""
    last = site.project.last_night
    days = [night for night in nights_between(month, nights_back(month, -30)) if night.month == month.month]
    nights = [night for night in days if last is None or night <= last]
    site.calendar.require(nights or [month])
    return tuple(nights)


def _inputs(site: Site, months: Sequence[Night]) -> dict[Night, NightInputs]:
    """For each month a hash of all that it would be replayed from; the last one is made from all of them."""
    last, known_by = nights_needed(site, months[-1])
    table, first = features_table(site.sql), site.project.first_night
    hashes = {}
    for name, until in ((table, last), (LABELS, known_by)):
        published = site.tables.published(name)
        hashes[name] = {
            night: published[night].content_hash for night in nights_between(first, until) if night in published
        }
    made_by = [
        site.sql.feature_set_version, what_can_change_a_model(site), code_version(), package_versions(), _SAMPLES,
    ]  # fmt: skip
    inputs = {}
    for month in months:
        end = _nights(site, month)[-1]
        read = {str(night): content for night, content in hashes[table].items() if night <= end}
        span = months if month == months[-1] else (month,)
        tunings = [tuning.as_json() for one in span if (tuning := newest_tuning(site, one)) is not None]
        inputs[month] = NightInputs.made_from([*made_by, *tunings], read, list(hashes[LABELS].values()), span)
    return inputs


def _replayed(site: Site, months: Sequence[Night]) -> list[dict[str, object]]:
    _, known_by = nights_needed(site, months[-1])
    found, predictions = [], []
    for month in months:
        predictions.append(_predict(site, month, known_by))
        found += entries(month, predictions[-1], is_pooled=False, samples=_SAMPLES, seed=site.project.training.seed)
        site.progress(f"{BACKTEST}: replayed {month}, {len(predictions[-1].labels)} rows with a known label")
    if len(months) > 1:
        whole = pooled(predictions)
        found += entries(months[-1], whole, is_pooled=True, samples=_SAMPLES, seed=site.project.training.seed)
    return found


def _predict(site: Site, month: Night, known_by: Night) -> Predictions:
    """Train as of ``month`` and predict its nights, with model and simple models."""
    tuning = newest_tuning(site, month)
    site = with_tuning(site, tuning)
    split = open_split(site, month)
    require_unseen(tuning, split.blocks)
    model = fit_model(site, split.rows, split.blocks)
    train = split.rows.block(split.blocks.train)
    simple = fit_simple_models(
        train.rows, train.labels, features=site.sql.features, baseline_feature=site.project.baseline.feature
    )
    rows, labels = _month_rows(site, month, known_by)
    is_known = ~np.isnan(labels)
    known = rows.filter(pa.array(is_known))
    raw = raw_scores(model.scorer, model.scorer.encoder.transform(known), threads=site.threads)
    subjects = {MODEL: model.scorer.calibrator.probability(raw), **simple.probabilities(known)}
    return Predictions(rows.num_rows, known.column(SCORE_DATE).to_numpy(), labels[is_known], subjects)


def _month_rows(site: Site, month: Night, known_by: Night) -> tuple[pa.Table, NDArray[np.float64]]:
    nights, table = _nights(site, month), features_table(site.sql)
    known = nights_between(month, known_by)
    require_built(site, table, nights)
    require_built(site, LABELS, known)
    rows = site.tables.read(table, nights)
    return rows, match_labels(rows, site.tables.read(LABELS, known), site.project.entity_key)

"""Builds models for nights: features for the spine, labels for what became known."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa

from ml_pipeline.io.sql_checks import normalised_sql
from ml_pipeline.io.sql_project import SqlProject
from ml_pipeline.io.sql_template import SqlModel
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night, contiguous_runs, nights_between
from ml_pipeline.operations.site import Site, features_table, require_landed

# Longer ranges are built in runs of a month: memory stays flat, and a lookback is read twice at most.
_LONGEST_RUN_NIGHTS = 31
LABELS = "labels"

Build = Callable[[Night, Night], pa.Table]


def build_features(site: Site, nights: Sequence[Night], *, sql: SqlProject | None = None) -> PublishResult:
    """Publish the features of ``nights`` for the present SQL, or for ``sql`` of a bundle; skips what is up to date."""
    sql = sql or site.sql
    inputs = _feature_inputs(site, sql, nights)
    return _publish_stale(
        site, features_table(sql), inputs, key=sql.project.entity_key, build=site.runner(sql).build_features
    )


def stale_features(site: Site, nights: Sequence[Night], *, sql: SqlProject | None = None) -> list[Night]:
    """Those of ``nights`` whose features are missing or were built from other rows."""
    sql = sql or site.sql
    return stale_nights(_feature_inputs(site, sql, nights), site.tables.published(features_table(sql)))


def build_labels(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish the labels that became known to ``nights``: a night's partition never changes afterwards."""
    target = site.project.label.model
    runner = site.runner()
    return _publish_stale(
        site, LABELS, _label_inputs(site, nights), key=[*site.project.entity_key, "label_known_at"],
        build=lambda first, last: runner.build(target, first, last),
    )  # fmt: skip


def stale_labels(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` whose labels are missing or were built from other rows."""
    return stale_nights(_label_inputs(site, nights), site.tables.published(LABELS))


def _feature_inputs(site: Site, sql: SqlProject, nights: Sequence[Night]) -> dict[Night, NightInputs]:
    return _inputs(site, sql, sql.feature_models, sql.feature_set_version, nights)


def _label_inputs(site: Site, nights: Sequence[Night]) -> dict[Night, NightInputs]:
    models = site.sql.needed_for([site.project.label.model])
    version = hashlib.sha256("|".join(normalised_sql(model) for model in models).encode()).hexdigest()[:12]
    return _inputs(site, site.sql, models, version, nights)


def _inputs(
    site: Site, sql: SqlProject, models: Iterable[SqlModel], version: str, nights: Sequence[Night]
) -> dict[Night, NightInputs]:
    """What each night is made from: the version of the SQL and the content of every landed night it may open."""
    site.calendar.require(nights)
    runner = site.runner(sql)
    contents = {source: site.tables.published(f"raw/{source}") for source in sql.sources}
    inputs = {}
    for night in sorted(set(nights)):
        reads = {}
        for source, lookback_days in sql.lookbacks(models).items():
            opened = runner.landed_nights(source, lookback_days, night, night)
            if sql.sources[source].reference:
                # A reference is known before the first night: later nights count only where a correction landed.
                corrected = {past for past, facts in contents[source].items() if facts.rows}
                opened = tuple(past for past in opened if past == site.calendar.first_night or past in corrected)
            require_landed(source, contents[source], opened)
            reads[source] = [contents[source][past].content_hash for past in opened]
        text = json.dumps([version, reads], sort_keys=True)
        inputs[night] = NightInputs(hashlib.sha256(text.encode()).hexdigest(), {})
    return inputs


def _publish_stale(
    site: Site, table: str, inputs: dict[Night, NightInputs], *, key: Sequence[str], build: Build
) -> PublishResult:
    before = site.tables.published(table)
    stale = stale_nights(inputs, before)
    current = [night for night in inputs if night not in set(stale)]
    changed: list[Night] = []
    rows = sum(before[night].rows for night in current)
    for first, last in contiguous_runs(stale, longest=_LONGEST_RUN_NIGHTS):
        built = build(first, last)
        nights = {night: inputs[night] for night in nights_between(first, last)}
        # One commit a run: what is built survives a kill, and memory does not grow with the range.
        result = site.tables.publish(table, built, nights, key=key)
        changed.extend(result.changed)
        current.extend(result.unchanged)
        rows += result.rows
        site.progress(f"{table}: built {first} to {last}, {result.rows:,} rows")
    return PublishResult(table, site.tables.version(table), tuple(changed), tuple(sorted(current)), rows)

"""Builds models for nights: features for the spine, labels for what became known."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa

from ml_pipeline.contracts.night_rows import rows_of_night
from ml_pipeline.contracts.source import SCORE_DATE, SourceContract
from ml_pipeline.io.code_version import engine_version
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.io.sql_checks import normalised_sql
from ml_pipeline.io.sql_project import SPINE, SqlProject
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of
from ml_pipeline.io.table_store import NightInputs, PublishedNight, PublishResult, stale_nights
from ml_pipeline.nights import Night, contiguous_runs, nights_between
from ml_pipeline.operations.site import Site, features_table, require_landed

# Longer ranges are built in runs: memory stays flat (0.9 GB for a thousand rows a night, two runs side by side), and the
# lookback that each run reads again, and the night that it builds again alone, stay cheap beside it.
_LONGEST_RUN_NIGHTS = 31
LABELS = "labels"


@dataclass(frozen=True)
class _Target:
    """A table to be built: ``rows_of`` gives its rows for a range of nights, ``model_of`` the model behind a column."""

    table: str
    key: tuple[str, ...]
    runner: GatedRunner
    rows_of: Callable[[GatedRunner, Night, Night], pa.Table]
    model_of: Callable[[str], SqlModel]

    def build(self, first: Night, last: Night) -> pa.Table:
        return self.rows_of(self.runner, first, last)

    def build_alone(self, night: Night) -> pa.Table:
        """``night`` once more; its rows have been tested in their run, and are now only compared."""
        return self.rows_of(replace(self.runner, is_tested=False), night, night)


def build_features(site: Site, nights: Sequence[Night], *, sql: SqlProject | None = None) -> PublishResult:
    """Publish the features of ``nights`` for the present SQL, or for ``sql`` of a bundle; skips what is up to date."""
    sql = sql or site.sql
    owners = {column.name: model for model in sql.in_folder("features") for column in sql.contracts[model.name].columns}
    landed = _landed_versions(site, sql)
    target = _Target(
        features_table(sql), sql.project.entity_key, site.runner(sql, landed), GatedRunner.build_features,
        lambda column: owners.get(column, sql.models[SPINE]),
    )  # fmt: skip
    return _publish_stale(site, _feature_inputs(site, sql, nights, landed), target)


def stale_features(site: Site, nights: Sequence[Night], *, sql: SqlProject | None = None) -> list[Night]:
    """Those of ``nights`` whose features are missing or were built from other rows."""
    sql = sql or site.sql
    inputs = _feature_inputs(site, sql, nights, _landed_versions(site, sql))
    return stale_nights(inputs, site.tables.published(features_table(sql), nights))


def build_labels(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish the labels that became known to ``nights``: a night's partition never changes afterwards."""
    model = site.sql.models[site.project.label.model]
    landed = _landed_versions(site, site.sql)
    target = _Target(
        LABELS, (*site.project.entity_key, "label_known_at"), site.runner(versions=landed),
        lambda runner, first, last: runner.build(model.name, first, last), lambda _: model,
    )  # fmt: skip
    return _publish_stale(site, _label_inputs(site, nights, landed), target)


def stale_labels(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` whose labels are missing or were built from other rows."""
    inputs = _label_inputs(site, nights, _landed_versions(site, site.sql))
    return stale_nights(inputs, site.tables.published(LABELS, nights))


def _landed_versions(site: Site, sql: SqlProject) -> dict[str, int]:
    """The Delta version of every landed table, taken once: what is hashed, what is read and what is recorded are one."""
    return {f"raw/{source}": site.tables.version(f"raw/{source}") for source in sql.sources}


def _feature_inputs(
    site: Site, sql: SqlProject, nights: Sequence[Night], landed: Mapping[str, int]
) -> dict[Night, NightInputs]:
    return _inputs(
        site, sql, sql.feature_models, version=sql.feature_set_version, nights=nights, landed=landed
    )  # fmt: skip


def _label_inputs(site: Site, nights: Sequence[Night], landed: Mapping[str, int]) -> dict[Night, NightInputs]:
    models = site.sql.needed_for([site.project.label.model])
    version = hashlib.sha256("|".join(normalised_sql(model) for model in models).encode()).hexdigest()[:12]
    return _inputs(site, site.sql, models, version=version, nights=nights, landed=landed)


def _inputs(
    site: Site, sql: SqlProject, models: Iterable[SqlModel], *, version: str, nights: Sequence[Night],
    landed: Mapping[str, int],
) -> dict[Night, NightInputs]:  # fmt: skip
    """What each night is made from: SQL, engine, and the content of every landed night that it may open."""
    site.calendar.require(nights)
    lookbacks = sql.lookbacks(models)
    tables = {source: f"raw/{source}" for source in lookbacks}
    contents = {
        source: _landed_nights(site, sql.sources[source], lookbacks[source], nights, landed[table])
        for source, table in tables.items()
    }
    read = {table: landed[table] for table in tables.values()}
    inputs = {}
    for night in sorted(set(nights)):
        reads = {
            source: _contents_read(site, sql.sources[source], contents[source], days=days, night=night)
            for source, days in lookbacks.items()
        }
        inputs[night] = NightInputs(NightInputs.made_from(version, engine_version(), reads).inputs_hash, read)
    return inputs


def _landed_nights(
    site: Site, source: SourceContract, lookback_days: int | None, nights: Sequence[Night], version: int
) -> dict[Night, PublishedNight]:
    """What is published of the nights of a source that ``nights`` may open; of a reference those that have rows."""
    table, first = f"raw/{source.name}", site.calendar.first_night
    if source.reference:
        with_rows = site.tables.published(table, version=version, least_rows=1)
        return site.tables.published(table, [first], version=version) | with_rows
    opened = site.runner().landed_nights(lookback_days, min(nights), max(nights))
    return site.tables.published(table, opened, version=version)


def _contents_read(
    site: Site, source: SourceContract, published: Mapping[Night, PublishedNight], *, days: int | None, night: Night
) -> list[str]:
    if source.reference:
        # A reference is known before the first night: later nights count only where a correction landed.
        first = site.calendar.first_night
        opened = [first, *(past for past, facts in published.items() if first < past <= night and facts.rows)]
    else:
        opened = [*site.runner().landed_nights(days, night, night)]
    require_landed(source.name, published, opened)
    return [published[past].content_hash for past in opened]


def _publish_stale(site: Site, inputs: dict[Night, NightInputs], target: _Target) -> PublishResult:
    table = target.table
    before = site.tables.published(table, sorted(inputs))
    stale = stale_nights(inputs, before)
    current = [night for night in inputs if night not in set(stale)]
    changed: list[Night] = []
    rows = sum(before[night].rows for night in current)
    runs = contiguous_runs(stale, longest=_LONGEST_RUN_NIGHTS)
    for (first, last), built in zip(runs, _built(target, runs, site.threads), strict=True):
        nights = {night: inputs[night] for night in nights_between(first, last)}
        # One commit a run: what is built survives a kill, and memory does not grow with the range.
        result = site.tables.publish(table, built, nights, key=target.key)
        changed.extend(result.changed)
        current.extend(result.unchanged)
        rows += result.rows
        site.progress(f"{table}: built {first} to {last}, {result.rows:,} rows")
    return PublishResult(table, site.tables.version(table), tuple(changed), tuple(sorted(current)), rows)


def _built(target: _Target, runs: Sequence[tuple[Night, Night]], threads: int) -> Iterator[pa.Table]:
    """The rows of each run, in order, each held against single nights of it.

    Two runs of one thread each are built side by side, because a month of nights is too few rows for DuckDB to divide
    among threads; no more than two are held, so that memory stays flat.
    """
    workers = 1 if len(runs) == 1 else min(2, threads)
    side_by_side = replace(target, runner=replace(target.runner, threads=max(1, threads // workers)))

    def build(run: tuple[Night, Night]) -> pa.Table:
        first, last = run
        built = side_by_side.build(first, last)
        # A leak of later nights shows in the first night of a run, one of earlier nights in the last of them all.
        for night in sorted({first, last} if last == runs[-1][1] else {first}):
            if first < last:
                _require_same_alone(side_by_side, built, night)
        return built

    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[pa.Table]] = deque()
        for run in runs:
            waiting.append(pool.submit(build, run))
            if len(waiting) == workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _require_same_alone(target: _Target, built: pa.Table, night: Night) -> None:
    """Raise SqlRefusedError if ``night`` built alone differs from ``night`` out of the run ``built``.

    The gate gives each night its own rows, but a join or group by without ``score_date`` mixes them again: such a model
    is right every night and sees the future in training, where nights are built in ranges.
    """
    order = [(SCORE_DATE, "ascending"), *((name, "ascending") for name in target.key)]
    alone = target.build_alone(night).sort_by(order)
    together = rows_of_night(built, night).sort_by(order)
    if content_hash(alone) == content_hash(together):
        return
    column = next(
        name
        for name in alone.schema.names
        if content_hash(alone.select([name])) != content_hash(together.select([name]))
    )
    model = target.model_of(column)
    raise SqlRefusedError(
        model.path, line_of(model.text, column),
        f"{target.table}: column {column} of night {night} differs when the night is built alone and when other nights "
        "are built with it, so it reads their rows",
        "every join and group by must carry score_date",
    )  # fmt: skip

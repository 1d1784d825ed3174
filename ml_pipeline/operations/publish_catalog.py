"""Rebuilds the analysts' catalog from what is published now."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE
from ml_pipeline.contracts.tables import (
    BACKTEST_SCHEMA,
    DECISION_SCHEMA,
    DRIFT_SCHEMA,
    LABEL_TYPES,
    LATE_ARRIVALS_SCHEMA,
    PERFORMANCE_SCHEMA,
    QUARANTINE_SCHEMA,
    RESTATEMENTS_SCHEMA,
    scores_schema,
)
from ml_pipeline.io.catalog import View, files_select, json_select, quoted, write_catalog
from ml_pipeline.io.model_bundle import MANIFEST, BundleError, read_manifest
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score_views import score_views
from ml_pipeline.operations.site import Site, features_table

_PROMOTION_COLUMNS = {
    "number": "bigint", "recorded_at": "timestamptz", "challenger": "varchar", "champion_before": "varchar",
    "judged_on": "date", "effective_from": "date", "until": "date", "is_promoted": "boolean", "reasons": "varchar[]",
    "numbers": "json",
}  # fmt: skip


@dataclass(frozen=True)
class _Published:
    """One table as a view shows it."""

    table: str
    schema: pa.Schema


def publish_catalog(site: Site) -> bool:
    """Write ``warehouse.duckdb`` and ``views.sql``; False if nothing has changed since."""
    views = [
        _table_view(site, "scores", _Published("scores", _scores_schema(site)), "What was scored, as it stands now."),
        *score_views(site, _scores_schema(site)),
        _labels(site),
        *_sources(site),
        *_monitoring(site),
        _features(site),
        _quarantine(site),
        View(
            "promotions",
            json_select(site.ledger("promotions").paths(), _PROMOTION_COLUMNS),
            "Every verdict of the gate, with reasons.",
        ),
    ]
    return write_catalog(site.data, [*views, *_marts(site)])


def _scores_schema(site: Site) -> pa.Schema:
    if site.tables.exists("scores"):
        return site.tables.schema("scores")
    return scores_schema(_key_fields(site))


def _key_fields(site: Site) -> list[pa.Field]:
    """The entity key with the types that the sources give it: what a table that is not there yet will hold."""
    fields = {field.name: field for source in site.sql.sources.values() for field in source.arrow_schema()}
    return [fields[name] for name in site.project.entity_key]


def _table_view(site: Site, name: str, published: _Published, comment: str) -> View:
    exists = site.tables.exists(published.table)
    schema = site.tables.schema(published.table) if exists else published.schema
    return View(name, files_select(site.tables.files(published.table), schema), comment)


def _labels(site: Site) -> View:
    key = ", ".join(site.project.entity_key)
    types = [pa.field(name, kind) for name, kind in LABEL_TYPES.items()]
    empty = pa.schema([pa.field(SCORE_DATE, pa.date32()), *_key_fields(site), *types])
    schema = site.tables.schema("labels") if site.tables.exists("labels") else empty
    rows = files_select(site.tables.files("labels"), schema)
    body = (
        f"select * rename ({SCORE_DATE} as known_on) from ({rows}) qualify row_number() over "
        f"(partition by {key}, labelled_date order by {SCORE_DATE} desc, label_known_at desc) = 1"
    )
    return View("labels", body, "Labels as last known; known_on is the night that learned them.")


def _sources(site: Site) -> list[View]:
    views = []
    for name, contract in site.sql.sources.items():
        schema = contract.arrow_schema().insert(0, pa.field(SCORE_DATE, pa.date32()))
        rows = files_select(site.tables.files(f"raw/{name}"), schema)
        body = (
            f"select * rename ({SCORE_DATE} as known_on) from ({rows}) qualify row_number() over "
            f"(partition by {', '.join(contract.key)} order by {SCORE_DATE} desc, {KNOWN_AT} desc) = 1"
        )
        views.append(View(name, body, f"{contract.description} As last known."))
    return views


def _monitoring(site: Site) -> list[View]:
    tables: Sequence[tuple[str, pa.Schema, str]] = (
        ("performance", PERFORMANCE_SCHEMA, "Realised performance of model and baseline, by night and window."),
        ("drift", DRIFT_SCHEMA, "Distance of each feature from the training rows, by night."),
        ("retraining_decisions", DECISION_SCHEMA, "Whether to retrain, by night, with reasons."),
        ("late_arrivals", LATE_ARRIVALS_SCHEMA, "Late rows and corrections, by the night that landed them."),
        ("backtest", BACKTEST_SCHEMA, "What models of earlier months would have done, beside simple ones."),
        ("restatements", RESTATEMENTS_SCHEMA, "Nights that late rows would have changed, had they come in time."),
    )
    return [_table_view(site, name, _Published(f"monitoring/{name}", schema), text) for name, schema, text in tables]


def _features(site: Site) -> View:
    """The features that the champion is served with; before there is one, those of the present SQL."""
    champion = current_champion(site)
    table = features_table(site.sql)
    if champion is not None:
        # A bundle that is lost must not keep the night that another rung scored from the analysts.
        with suppress(BundleError, FileNotFoundError):
            manifest = read_manifest(site.models / champion / MANIFEST)
            table = f"features/{manifest['feature_set_version']}"
    kinds = {"category": pa.string(), "number": pa.float64()}
    columns = [pa.field(feature.name, kinds[feature.type]) for feature in site.sql.features]
    empty = pa.schema([pa.field(SCORE_DATE, pa.date32()), *_key_fields(site), *columns])
    return _table_view(site, "features", _Published(table, empty), f"What each night knew: {table}.")


def _quarantine(site: Site) -> View:
    selects = [
        f"select {quoted(name)} as source, * from ({files_select(files, QUARANTINE_SCHEMA)})"
        for name in site.sql.sources
        if (files := site.tables.files(f"quarantine/{name}"))
    ]
    body = (
        " union all ".join(selects) or f"select ''::varchar as source, * from ({files_select([], QUARANTINE_SCHEMA)})"
    )
    return View("quarantine", body, "Rows that broke their contract: rule, column, value and the row itself.")


def _marts(site: Site) -> list[View]:
    """The use case's own views over the published ones, in name order."""
    paths: list[Path] = sorted((site.sql.folder / "marts").glob("*.sql"))
    return [
        View(path.stem, path.read_text(encoding="utf-8").strip().rstrip(";"), _first_comment(path)) for path in paths
    ]


def _first_comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[0].removeprefix("--").strip() if lines and lines[0].startswith("--") else path.stem

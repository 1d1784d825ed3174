"""Rebuilds the analysts' catalog from what is published now."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ml_pipeline.contracts.column_descriptions import described
from ml_pipeline.contracts.replay import REPLAY_SCHEMA
from ml_pipeline.contracts.source import KNOWN_AT, KNOWN_ON, SCORE_DATE
from ml_pipeline.contracts.sql_models import FeatureContract, load_model_contracts
from ml_pipeline.contracts.tables import (
    BACKTEST_SCHEMA,
    CALIBRATION_SCHEMA,
    DECISION_SCHEMA,
    DRIFT_SCHEMA,
    EXPECTATIONS_SCHEMA,
    LABEL_TYPES,
    LATE_ARRIVALS_SCHEMA,
    PERFORMANCE_SCHEMA,
    QUARANTINE_SCHEMA,
    RESTATEMENTS_SCHEMA,
    SHADOW_REVIEW_SCHEMA,
    SLICE_PERFORMANCE_SCHEMA,
    scores_schema,
)
from ml_pipeline.contracts.watched_scores import ESTIMATES_SCHEMA, PREDICTION_DRIFT_SCHEMA
from ml_pipeline.io.catalog import View, files_select, json_select, quoted, write_catalog
from ml_pipeline.io.model_bundle import MANIFEST, BundleError, read_manifest
from ml_pipeline.operations.catalog_drift import drift_agreement_view
from ml_pipeline.operations.catalog_marts import mart_views
from ml_pipeline.operations.catalog_maturity import maturity_view
from ml_pipeline.operations.catalog_scores import score_views
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site, features_table

_PROMOTION_COLUMNS = {
    "number": "bigint", "recorded_at": "timestamptz", "kind": "varchar", "challenger": "varchar",
    "champion_before": "varchar", "withdrawn": "varchar[]", "judged_on": "date", "effective_from": "date",
    "until": "date", "is_promoted": "boolean", "reasons": "varchar[]", "numbers": "json",
}  # fmt: skip


# Elsewhere a value is what was measured.
_SLICE_WORDS = {"value": "The value of the feature that makes the slice; of a bin its number."}


@dataclass(frozen=True)
class _Published:
    """One table as a view shows it."""

    table: str
    schema: pa.Schema
    words: Mapping[str, str] = field(default_factory=dict)


def publish_catalog(site: Site) -> bool:
    """Write ``warehouse.duckdb`` and ``views.sql``; False if nothing has changed since, or the site publishes none."""
    if not site.publishes_catalog:
        return False
    views = [
        *score_views(site, scores_schema(_key_fields(site)), _key_words(site)),
        _labels(site),
        maturity_view(site),
        *_sources(site),
        *_monitoring(site),
        drift_agreement_view(site),
        _features(site),
        _quarantine(site),
        _promotions(site),
    ]
    return write_catalog(site.data, [*views, *mart_views(site.sql.folder / "marts")])


def _key_fields(site: Site) -> list[pa.Field]:
    """The entity key with the types that the sources give it: what a table that is not there yet will hold."""
    fields = {field.name: field for source in site.sql.sources.values() for field in source.arrow_schema()}
    return [fields[name] for name in site.project.entity_key]


def _key_words(site: Site) -> dict[str, str]:
    """What the sources say of the columns of the entity key."""
    words = {column.name: column.description for source in site.sql.sources.values() for column in source.columns}
    return {name: words[name] for name in site.project.entity_key}


def _table_view(site: Site, name: str, published: _Published, comment: str) -> View:
    exists = site.tables.exists(published.table)
    schema = site.tables.schema(published.table) if exists else published.schema
    columns = described(schema.names) | {
        name: published.words[name] for name in schema.names if name in published.words
    }
    rows = files_select(site.tables.files(published.table), schema, has_grown=site.tables.has_grown(published.table))
    return View(name, rows, comment, columns)


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
    columns = {KNOWN_ON: "The night that learned it.", **_key_words(site), **described(LABEL_TYPES)}
    return View("labels", body, "Labels as last known; known_on is the night that learned them.", columns)


def _sources(site: Site) -> list[View]:
    views = []
    for name, contract in site.sql.sources.items():
        schema = contract.arrow_schema().insert(0, pa.field(SCORE_DATE, pa.date32()))
        rows = files_select(site.tables.files(f"raw/{name}"), schema)
        body = (
            f"select * rename ({SCORE_DATE} as known_on) from ({rows}) qualify row_number() over "
            f"(partition by {', '.join(contract.key)} order by {SCORE_DATE} desc, {KNOWN_AT} desc) = 1"
        )
        columns = {KNOWN_ON: "The night that landed it.", **{each.name: each.description for each in contract.columns}}
        views.append(View(name, body, f"{contract.description} As last known.", columns))
    return views


def _monitoring(site: Site) -> list[View]:
    tables: Sequence[tuple[str, pa.Schema, str]] = (
        (
            "performance",
            PERFORMANCE_SCHEMA,
            "Realised performance of what was published, whoever answered, and of the baseline, by night and window.",
        ),
        (
            "slice_performance",
            SLICE_PERFORMANCE_SCHEMA,
            "The same by slice and group, over the last 28 matured nights.",
        ),
        (
            "estimates",
            ESTIMATES_SCHEMA,
            "What each night expected before the labels, and what came, once they had landed.",
        ),
        (
            "calibration",
            CALIBRATION_SCHEMA,
            "What was said and what happened, as a whole, by bin and by slice, with intervals.",
        ),
        (
            "prediction_drift",
            PREDICTION_DRIFT_SCHEMA,
            "Distance of the probabilities from the test block and from lately.",
        ),
        ("drift", DRIFT_SCHEMA, "Distance of each feature from the training rows, by night."),
        ("retraining_decisions", DECISION_SCHEMA, "Whether to retrain, by night, with reasons."),
        (
            "shadow_review",
            SHADOW_REVIEW_SCHEMA,
            "How models in the shadow compare with the champion by night, and what was decided of them.",
        ),
        ("late_arrivals", LATE_ARRIVALS_SCHEMA, "Late rows and corrections, by the night that landed them."),
        (
            "expectations",
            EXPECTATIONS_SCHEMA,
            "What a night was expected to look like by the nights before, and what was found.",
        ),
        ("backtest", BACKTEST_SCHEMA, "What models of earlier months would have done, beside simple ones."),
        ("replay", REPLAY_SCHEMA, "The nights as they would have been operated, under each policy."),
        ("restatements", RESTATEMENTS_SCHEMA, "Nights that late rows would have changed, had they come in time."),
    )
    return [
        _table_view(site, name, _Published(f"monitoring/{name}", schema, _SLICE_WORDS if "feature" in schema.names else {}), text)
        for name, schema, text in tables
    ]  # fmt: skip


def _promotions(site: Site) -> View:
    """Entries from before they named their kind were verdicts, or, without a night, overrides."""
    rows = json_select(site.ledger("promotions").paths(), _PROMOTION_COLUMNS)
    kind = "coalesce(kind, if(judged_on is null, 'override', 'verdict'))"
    body = f"select * replace ({kind} as kind) from ({rows})"
    words = described(_PROMOTION_COLUMNS)
    return View(
        "promotions",
        body,
        "Every verdict of the gate, second look, probation, override, rollback and refit, with reasons and numbers.",
        words,
    )


def _features(site: Site) -> View:
    """The features that the champion is served with; without one that can be read, those of the present SQL."""
    champion = current_champion(site)
    table, features = features_table(site.sql), site.sql.features
    # A champion that is missing or damaged must not keep its rollback, the gate's "no", or what another rung said unseen.
    with suppress(BundleError, OSError, KeyError):
        if champion is not None:
            manifest = read_manifest(site.models / champion / MANIFEST)
            table = f"features/{manifest['feature_set_version']}"
            if table != features_table(site.sql):
                features = _features_of(site.models / champion / "feature_set" / "features")
    kinds = {"category": pa.string(), "number": pa.float64()}
    columns = [pa.field(feature.name, kinds[feature.type]) for feature in site.sql.features]
    empty = pa.schema([pa.field(SCORE_DATE, pa.date32()), *_key_fields(site), *columns])
    words = _key_words(site) | {each.name: _in_words(each) for each in features}
    return _table_view(site, "features", _Published(table, empty, words), f"What each night knew: {table}.")


def _features_of(folder: Path) -> tuple[FeatureContract, ...]:
    return tuple(column for model in load_model_contracts(folder).values() for column in model.columns)


def _in_words(feature: FeatureContract) -> str:
    return f"{feature.description} Window: {feature.window}; unit: {feature.unit or feature.type}."


def _quarantine(site: Site) -> View:
    selects = [
        f"select {quoted(name)} as source, * from ({files_select(files, QUARANTINE_SCHEMA)})"
        for name in site.sql.sources
        if (files := site.tables.files(f"quarantine/{name}"))
    ]
    body = (
        " union all ".join(selects) or f"select ''::varchar as source, * from ({files_select([], QUARANTINE_SCHEMA)})"
    )
    columns = described(["source", *QUARANTINE_SCHEMA.names]) | {"value": "The value that broke it."}
    return View("quarantine", body, "Rows that broke their contract: rule, column, value and the row itself.", columns)

"""Measures input drift: our own numbers for every feature and night, Evidently's report on its nights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import DRIFT_SCHEMA
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night
from ml_pipeline.operations.build import build_features, stale_features
from ml_pipeline.operations.drift_bundles import DriftBundles, drift_bundles
from ml_pipeline.operations.drift_reports import RequestedReport, report_path
from ml_pipeline.operations.drift_watcher import Watcher, drift_reach
from ml_pipeline.operations.promote import champions_of
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site, features_table

DRIFT = "monitoring/drift"


@dataclass(frozen=True)
class DriftNights:
    """What was published, the newest HTML report among the nights, and why nights were not measured against their champion."""

    published: PublishResult
    report: Path | None
    reasons: Mapping[Night, str]


def measure_drift(site: Site, nights: Sequence[Night]) -> DriftNights:
    """Publish the drift of each of ``nights``: the last nights against the champion's training rows and the nights before.

    Where the champion cannot be used, the bundle that steps in for it is measured against; where none can, every feature
    is missing evidence. Both are told, by an alert and with the night.

    Evidently runs on the nights of one weekday and where the verdict is other than the night before: both depend on
    features up to the night alone, so that a range gives what its nights give.
    """
    site.calendar.require(nights)
    before = site.tables.published(DRIFT, nights)
    parts: list[pa.Table] = []
    inputs: dict[Night, NightInputs] = {}
    against = drift_bundles(site, nights)
    for bundle, its_nights in against.nights_by_bundle:
        reaches = {night: drift_reach(site, night) for night in its_nights}
        build_features(site, sorted(set().union(*reaches.values())), sql=bundle.feature_set)
        fresh = _inputs(site, bundle, reaches)
        stale = stale_nights(fresh, before)
        if stale:
            watcher = Watcher(site, bundle)
            parts.extend(watcher.drift_of(night) for night in stale)
        inputs |= {night: fresh[night] for night in stale}
    missing = _inputs_of_missing(against)
    for night in stale_nights(missing, before):
        parts.append(_missing_evidence(site, night, against.missing[night]))
        inputs[night] = missing[night]
    current = tuple(night for night in sorted(set(nights)) if night not in inputs)
    result = PublishResult(DRIFT, site.tables.version(DRIFT), (), current, 0)
    if parts:
        result = site.tables.publish(DRIFT, pa.concat_tables(parts), inputs, key=["feature"])
        site.progress(f"{DRIFT}: measured {len(parts)} nights")
    publish_catalog(site)
    _alert(site, {night: reason for night, reason in against.reasons.items() if night in inputs})
    reports = [path for night in sorted(set(nights)) if (path := report_path(site, night)).exists()]
    return DriftNights(result, reports[-1] if reports else None, against.reasons)


def stale_drift(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never measured, or whose features or champion have changed since."""
    before = site.tables.published(DRIFT, nights)
    against = drift_bundles(site, nights)
    stale = list(stale_nights(_inputs_of_missing(against), before))
    for bundle, its_nights in against.nights_by_bundle:
        reaches = {night: drift_reach(site, night) for night in its_nights}
        unbuilt = set(stale_features(site, sorted(set().union(*reaches.values())), sql=bundle.feature_set))
        built = {night: reach for night, reach in reaches.items() if not unbuilt & set(reach)}
        stale.extend([*(set(its_nights) - set(built)), *stale_nights(_inputs(site, bundle, built), before)])
    return sorted(stale)


def report_drift(site: Site, night: Night) -> RequestedReport | None:
    """Write Evidently's report of ``night`` on request, whatever the day; None if there is no row to compare.

    The table keeps what its rule gave, so that a range still gives what its nights give.

    Raises:
        NoChampionError: no model was champion on that night.
    """
    site.calendar.require([night])
    ((version, _),) = champions_of(site, [night]).items()
    bundle = read_bundle(site.models, version)
    build_features(site, drift_reach(site, night), sql=bundle.feature_set)
    found = Watcher(site, bundle).report_on(night)
    if not found:
        return None
    return RequestedReport(
        report_path(site, night), tuple(found), tuple(name for name, (_, agrees) in found.items() if not agrees)
    )


def _inputs(site: Site, bundle: ModelBundle, reaches: Mapping[Night, Sequence[Night]]) -> dict[Night, NightInputs]:
    opened = sorted(set().union(*reaches.values()))
    features = site.tables.published(features_table(bundle.feature_set), opened)
    rules = (site.project.monitoring.model_dump(), site.project.drift.model_dump())
    return {
        night: NightInputs.made_from(bundle.version, [features[past].content_hash for past in reach], *rules)
        for night, reach in reaches.items()
    }


def _inputs_of_missing(against: DriftBundles) -> dict[Night, NightInputs]:
    return {night: NightInputs.made_from("no bundle", version) for night, version in against.missing.items()}


def _missing_evidence(site: Site, night: Night, champion: str) -> pa.Table:
    """A night that could be measured against nothing: every feature is there and nothing is said of it."""
    said = {SCORE_DATE: night, "model_version": champion, "finding": "missing", "is_drifted": False}
    rows = [{**said, "feature": feature.name} for feature in site.sql.features]
    return pa.Table.from_pylist(rows, schema=DRIFT_SCHEMA)


def _alert(site: Site, reasons: Mapping[Night, str]) -> None:
    for reason in sorted(set(reasons.values())):
        nights = sorted(night for night, told in reasons.items() if told == reason)
        span = str(nights[0]) if len(nights) == 1 else f"{nights[0]} to {nights[-1]}"
        raise_alert(
            site.ledger("alerts"), severity="advisory", title="drift is not measured against the champion", night=span,
            detail=reason,
        )  # fmt: skip

"""Measures input drift: our own numbers for every feature and night, Evidently's report on its nights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import DRIFT_SCHEMA
from ml_pipeline.domain.drift import ReferenceBins, count_rows, reference_bins, stability_index
from ml_pipeline.domain.feature_matrix import FeatureEncoder
from ml_pipeline.io.drift_report import write_drift_report
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night, lookback_nights
from ml_pipeline.operations.build import build_features, stale_features
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.promote import champions_of
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site, features_table

DRIFT = "monitoring/drift"


@dataclass(frozen=True)
class DriftNights:
    """What was published, and the newest HTML report among the nights, if there is one."""

    published: PublishResult
    report: Path | None


def measure_drift(site: Site, nights: Sequence[Night]) -> DriftNights:
    """Publish the drift of each of ``nights``: the last scored nights against the champion's training rows.

    Evidently runs on the nights of one weekday, a rule of the date alone, so that a range gives what its nights give.
    """
    site.calendar.require(nights)
    before = site.tables.published(DRIFT, nights)
    parts: list[pa.Table] = []
    inputs: dict[Night, NightInputs] = {}
    for version, its_nights in champions_of(site, nights).items():
        bundle = read_bundle(site.models, version)
        windows = {night: _window(site, night) for night in its_nights}
        build_features(site, sorted(set().union(*windows.values())), sql=bundle.feature_set)
        fresh = _inputs(site, bundle, windows)
        stale = stale_nights(fresh, before)
        if stale:
            watcher = _Watcher(site, bundle, {night: windows[night] for night in stale})
            parts.extend(watcher.drift_of(night) for night in stale)
        inputs |= {night: fresh[night] for night in stale}
    current = tuple(night for night in sorted(set(nights)) if night not in inputs)
    result = PublishResult(DRIFT, site.tables.version(DRIFT), (), current, 0)
    if parts:
        result = site.tables.publish(DRIFT, pa.concat_tables(parts), inputs, key=["feature"])
        site.progress(f"{DRIFT}: measured {len(parts)} nights")
    publish_catalog(site)
    reports = [path for night in sorted(set(nights)) if (path := report_path(site, night)).exists()]
    return DriftNights(result, reports[-1] if reports else None)


def stale_drift(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never measured, or whose features or champion have changed since."""
    before = site.tables.published(DRIFT, nights)
    stale: list[Night] = []
    for version, its_nights in champions_of(site, nights).items():
        bundle = read_bundle(site.models, version)
        windows = {night: _window(site, night) for night in its_nights}
        unbuilt = set(stale_features(site, sorted(set().union(*windows.values())), sql=bundle.feature_set))
        built = {night: window for night, window in windows.items() if not unbuilt & set(window)}
        stale.extend([*(set(its_nights) - set(built)), *stale_nights(_inputs(site, bundle, built), before)])
    return sorted(stale)


def report_path(site: Site, night: Night) -> Path:
    """Where Evidently's report of a night lies, if it was due."""
    return site.reports / "drift" / f"{night}.html"


def _window(site: Site, night: Night) -> tuple[Night, ...]:
    return lookback_nights(night, site.project.monitoring.window_nights, first_night=site.project.first_night)


def _inputs(site: Site, bundle: ModelBundle, windows: Mapping[Night, Sequence[Night]]) -> dict[Night, NightInputs]:
    opened = sorted(set().union(*windows.values()))
    features = site.tables.published(features_table(bundle.feature_set), opened)
    rules = site.project.monitoring.model_dump()
    return {
        night: NightInputs.made_from(bundle.version, [features[past].content_hash for past in window], rules)
        for night, window in windows.items()
    }


class _Watcher:
    """Drift of several nights against one bundle; the rows of each night are counted once and then added up."""

    def __init__(self, site: Site, bundle: ModelBundle, windows: dict[Night, tuple[Night, ...]]) -> None:
        self._site, self._bundle, self._windows = site, bundle, windows
        self._encoder: FeatureEncoder = load_scorer(bundle).encoder
        self._reference = bundle.table("reference.parquet")
        self._bins: ReferenceBins = reference_bins(self._encoder, self._encoder.transform(self._reference))
        self._counts: dict[Night, NDArray[np.int64]] = {}

    def drift_of(self, night: Night) -> pa.Table:
        window = self._windows[night]
        counts = np.sum([self._count(past) for past in window], axis=0)
        psi = stability_index(self._bins, counts)
        rows = int(counts[0].sum()) if len(counts) else 0
        limit = self._site.project.monitoring.psi_limit
        evidently = (
            self._report(night, window) if night.weekday() == self._site.project.monitoring.report_weekday else {}
        )
        entries = [
            {
                SCORE_DATE: night, "feature": name, "model_version": self._bundle.version, "window_nights": len(window),
                "rows": rows, "missing_share": counts[position, 0] / rows if rows else None,
                "psi": float(psi[position]), "is_drifted": bool(psi[position] > limit),
                "evidently_psi": evidently.get(name),
            }
            for position, name in enumerate(self._bins.names)
        ]  # fmt: skip
        return pa.Table.from_pylist(entries, schema=DRIFT_SCHEMA)

    def _count(self, night: Night) -> NDArray[np.int64]:
        if night not in self._counts:
            rows = self._read([night])
            self._counts[night] = count_rows(self._bins, self._encoder.transform(rows))
        return self._counts[night]

    def _read(self, nights: Sequence[Night]) -> pa.Table:
        return self._site.tables.read(features_table(self._bundle.feature_set), nights, list(self._encoder.names))

    def _report(self, night: Night, window: Sequence[Night]) -> dict[str, float]:
        gains = self._bundle.manifest["gain_by_feature"]
        leading = sorted(gains, key=lambda name: (-gains[name], name))[: self._site.project.monitoring.report_features]
        categories = [
            column.name
            for column in self._encoder.columns
            if column.contract.type == "category" and column.name in leading
        ]
        rows = self._site.project.monitoring.report_rows
        return write_drift_report(
            report_path(self._site, night),
            reference=_every_nth(self._reference, rows),
            current=_every_nth(self._read(window), rows),
            numbers=[name for name in leading if name not in categories],
            categories=categories,
            psi_limit=self._site.project.monitoring.psi_limit,
        )


def _every_nth(rows: pa.Table, wanted: int) -> pa.Table:
    """A sample of at most ``wanted`` rows that depends on nothing but the rows."""
    step = max(1, -(-rows.num_rows // wanted))
    return rows.take(pa.array(np.arange(0, rows.num_rows, step)))

"""Measures input drift: our own numbers for every feature and night, Evidently's report on its nights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import DRIFT_SCHEMA
from ml_pipeline.domain.data_faults import NightSummary, find_faults, summarise_night
from ml_pipeline.domain.drift import ReferenceBins, count_rows, reference_bins, stability_index
from ml_pipeline.domain.drift_effect import WindowEffect, find_drift, window_effect
from ml_pipeline.domain.feature_matrix import FeatureEncoder
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.drift_report import write_drift_report
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night, lookback_nights
from ml_pipeline.operations.build import build_features, stale_features
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.drift_bundles import DriftBundles, drift_bundles
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

    Evidently runs on the nights of one weekday, a rule of the date alone, so that a range gives what its nights give.
    """
    site.calendar.require(nights)
    before = site.tables.published(DRIFT, nights)
    parts: list[pa.Table] = []
    inputs: dict[Night, NightInputs] = {}
    against = drift_bundles(site, nights)
    for bundle, its_nights in against.nights_by_bundle:
        reaches = {night: _reach(site, night) for night in its_nights}
        build_features(site, sorted(set().union(*reaches.values())), sql=bundle.feature_set)
        fresh = _inputs(site, bundle, reaches)
        stale = stale_nights(fresh, before)
        if stale:
            watcher = _Watcher(site, bundle)
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
        reaches = {night: _reach(site, night) for night in its_nights}
        unbuilt = set(stale_features(site, sorted(set().union(*reaches.values())), sql=bundle.feature_set))
        built = {night: reach for night, reach in reaches.items() if not unbuilt & set(reach)}
        stale.extend([*(set(its_nights) - set(built)), *stale_nights(_inputs(site, bundle, built), before)])
    return sorted(stale)


def report_path(site: Site, night: Night) -> Path:
    """Where Evidently's report of a night lies, if it was due."""
    return site.reports / "drift" / f"{night}.html"


def _reach(site: Site, night: Night) -> tuple[Night, ...]:
    """Every night that the drift of ``night`` is made from: its windows, and the nights before the first of them."""
    rules = site.project.drift
    nights = site.project.monitoring.window_nights + rules.trailing_nights + rules.of_windows - 1
    return lookback_nights(night, nights, first_night=site.project.first_night)


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


class _Watcher:
    """Drift of several nights against one bundle; the rows of each night are read and counted once."""

    def __init__(self, site: Site, bundle: ModelBundle) -> None:
        self._site, self._bundle = site, bundle
        self._encoder: FeatureEncoder = load_scorer(bundle).encoder
        self._reference = bundle.table("reference.parquet")
        self._bins: ReferenceBins = reference_bins(self._encoder, self._encoder.transform(self._reference))
        self._counted: dict[Night, tuple[NDArray[np.int64], NightSummary]] = {}
        self._effects: dict[Night, WindowEffect] = {}

    def drift_of(self, night: Night) -> pa.Table:
        site, monitoring = self._site, self._site.project.monitoring
        window = self._nights(night, monitoring.window_nights)
        counts = self._counts(window).sum(axis=0)
        psi = stability_index(self._bins, counts)
        rows = int(counts[0].sum()) if len(counts) else 0
        windows = [self._effect(last) for last in self._nights(night, site.project.drift.of_windows)]
        findings, faults = find_drift(site.project.drift, windows), self._faults(night)
        evidently = self._report(night, window) if night.weekday() == monitoring.report_weekday else {}
        entries = [
            {
                SCORE_DATE: night, "feature": name, "model_version": self._bundle.version, "window_nights": len(window),
                "rows": rows, "missing_share": counts[position, 0] / rows if rows else None, "psi": float(psi[position]),
                "effect_training": _known(windows[-1].training[position]),
                "effect_trailing": _known(windows[-1].trailing[position]), "finding": findings[position],
                "is_drifted": findings[position] == "drift", "fault": faults.get(name), "evidently_psi": evidently.get(name),
                "agrees_with_evidently": (evidently[name] > monitoring.psi_limit) == bool(psi[position] > monitoring.psi_limit)
                if name in evidently else None,
            }
            for position, name in enumerate(self._bins.names)
        ]  # fmt: skip
        return pa.Table.from_pylist(entries, schema=DRIFT_SCHEMA)

    def _nights(self, last: Night, count: int) -> tuple[Night, ...]:
        return lookback_nights(last, count, first_night=self._site.project.first_night)

    def _effect(self, last: Night) -> WindowEffect:
        """Effects of the window that ends with ``last``."""
        if last not in self._effects:
            rules, nights = self._site.project.drift, self._site.project.monitoring.window_nights
            window, both = self._nights(last, nights), self._nights(last, nights + rules.trailing_nights)
            before = self._counts([night for night in both if night < window[0]])
            self._effects[last] = window_effect(rules, self._counts(window), before, self._bins.counts)
        return self._effects[last]

    def _faults(self, night: Night) -> dict[str, str]:
        """What is wrong with the night, by feature; a fault of the whole night is one of every feature."""
        rules = self._site.project.drift
        before = self._nights(night, rules.trailing_nights + 1)[:-1]
        numbers = [column.contract.type != "category" for column in self._encoder.columns]
        found = find_faults(
            rules, self._bins.names, self._count(night)[1], [self._count(past)[1] for past in before], numbers=numbers
        )
        whole = found.pop("", ())
        told = {name: (*whole, *found.get(name, ())) for name in self._bins.names}
        return {name: "; ".join(words) for name, words in told.items() if words}

    def _counts(self, nights: Sequence[Night]) -> NDArray[np.int64]:
        """Rows a bin, of shape (nights, columns, bins)."""
        shape = (0, *self._bins.counts.shape)
        return (
            np.array([self._count(night)[0] for night in nights], dtype=np.int64)
            if nights
            else np.empty(shape, np.int64)
        )

    def _count(self, night: Night) -> tuple[NDArray[np.int64], NightSummary]:
        if night not in self._counted:
            matrix = self._encoder.transform(self._read([night]))
            self._counted[night] = count_rows(self._bins, matrix), summarise_night(matrix)
        return self._counted[night]

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


def _known(value: float) -> float | None:
    """Missing evidence is null in the table, and no number."""
    return None if np.isnan(value) else float(value)


def _every_nth(rows: pa.Table, wanted: int) -> pa.Table:
    """A sample of at most ``wanted`` rows that depends on nothing but the rows."""
    step = max(1, -(-rows.num_rows // wanted))
    return rows.take(pa.array(np.arange(0, rows.num_rows, step)))

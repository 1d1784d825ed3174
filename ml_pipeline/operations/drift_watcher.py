"""Counts the nights of a feature table and holds them against one bundle's training rows and the nights before."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.missing_numbers import null_if_nan
from ml_pipeline.contracts.night_rows import rows_by_night
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import DRIFT_SCHEMA
from ml_pipeline.domain.data_faults import NightSummary, find_faults, summarise_night
from ml_pipeline.domain.drift import ReferenceBins, count_rows, reference_bins, stability_index
from ml_pipeline.domain.drift_effect import Finding, WindowEffect, drifted_share, find_drift, window_effect
from ml_pipeline.domain.feature_matrix import FeatureEncoder
from ml_pipeline.domain.other_levels import without_others
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.nights import Night, lookback_nights, nights_back
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.drift_reports import write_report
from ml_pipeline.operations.site import Site, features_table

Counted = tuple[NDArray[np.int64], NightSummary]
_NIGHTS_AT_ONCE = 28


def drift_reach(site: Site, night: Night) -> tuple[Night, ...]:
    """Every night that the drift of ``night`` is made from: its windows, the one before, and the nights before the first."""
    rules = site.project.drift
    # And one more: whether the night before had drifted is a question of its own windows.
    nights = site.project.monitoring.window_nights + rules.trailing_nights + rules.of_windows
    return lookback_nights(night, nights, first_night=site.project.first_night)


# A process that watches night after night would count the same forty nights each time. Of the two newest bundles, by content.
@lru_cache(maxsize=2)
def _counted_by(_version: str) -> dict[str, Counted]:
    return {}


class Watcher:
    """Drift of several nights against one bundle; the rows of each night are read and counted once."""

    def __init__(self, site: Site, bundle: ModelBundle) -> None:
        self._site, self._bundle = site, bundle
        self._encoder: FeatureEncoder = load_scorer(bundle).encoder
        self._reference = bundle.table("reference.parquet")
        self._bins: ReferenceBins = reference_bins(self._encoder, self._matrix(self._reference))
        self._counted: dict[Night, Counted] = {}
        self._effects: dict[Night, WindowEffect] = {}

    def drift_of(self, night: Night) -> pa.Table:
        monitoring = self._site.project.monitoring
        self._count_together(drift_reach(self._site, night))
        window = self._nights(night, monitoring.window_nights)
        counts = self._counts(window).sum(axis=0)
        psi = stability_index(self._bins, counts)
        rows = int(counts[0].sum()) if len(counts) else 0
        newest, findings, faults = self._effect(night), self._findings(night), self._faults(night)
        is_due = night.weekday() == monitoring.report_weekday or self._has_turned(night)
        evidently = self.report_on(night) if is_due else {}
        entries = [
            {
                SCORE_DATE: night, "feature": name, "model_version": self._bundle.version, "window_nights": len(window),
                "rows": rows, "missing_share": counts[position, 0] / rows if rows else None, "psi": float(psi[position]),
                "effect_training": null_if_nan(newest.training[position]),
                "effect_trailing": null_if_nan(newest.trailing[position]), "finding": findings[position],
                "is_drifted": findings[position] == "drift", "fault": faults.get(name), "evidently_psi": evidently[name][0] if name in evidently else None,
                "agrees_with_evidently": evidently[name][1] if name in evidently else None,
            }
            for position, name in enumerate(self._bins.names)
        ]  # fmt: skip
        return pa.Table.from_pylist(entries, schema=DRIFT_SCHEMA)

    def report_on(self, night: Night) -> dict[str, tuple[float, bool]]:
        """Write Evidently's report; its index by feature, and whether ours lies on the same side of the limit."""
        window, limit = (
            self._nights(night, self._site.project.monitoring.window_nights),
            self._site.project.monitoring.psi_limit,
        )
        psi = dict(zip(self._bins.names, stability_index(self._bins, self._counts(window).sum(axis=0)), strict=True))
        found = write_report(
            self._site, night, self._bundle, self._encoder, reference=self._reference, current=self._read(window)
        )
        return {name: (theirs, (theirs > limit) == bool(psi[name] > limit)) for name, theirs in found.items()}

    def _findings(self, night: Night) -> tuple[Finding, ...]:
        rules = self._site.project.drift
        return find_drift(rules, [self._effect(last) for last in self._nights(night, rules.of_windows)])

    def _has_turned(self, night: Night) -> bool:
        """Whether the night counts as drifted and the night before did not, or the other way round; by one model alone."""
        if night <= self._site.project.first_night:
            return False
        limit = self._site.project.monitoring.drifted_share_limit
        shares = [drifted_share(self._findings(each)) for each in (nights_back(night, 1), night)]
        return (shares[0] > limit) != (shares[1] > limit)

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
            rules,
            self._bins.names,
            self._counted[night][1],
            [self._counted[past][1] for past in before],
            numbers=numbers,
        )
        whole = found.pop("", ())
        told = {name: (*whole, *found.get(name, ())) for name in self._bins.names}
        return {name: "; ".join(words) for name, words in told.items() if words}

    def _counts(self, nights: Sequence[Night]) -> NDArray[np.int64]:
        """Rows a bin, of shape (nights, columns, bins)."""
        self._count_together(nights)
        shape = (0, *self._bins.counts.shape)
        return (
            np.array([self._counted[night][0] for night in nights], dtype=np.int64)
            if nights
            else np.empty(shape, np.int64)
        )

    def _count_together(self, nights: Sequence[Night]) -> None:
        """Count the rows of those that were not counted yet; opening a night's file costs more than counting its rows."""
        new = [night for night in nights if night not in self._counted]
        if not new:
            return
        table, kept = features_table(self._bundle.feature_set), _counted_by(self._bundle.version)
        contents = {night: found.content_hash for night, found in self._site.tables.published(table, new).items()}
        self._counted |= {night: kept[contents[night]] for night in new if contents.get(night) in kept}
        left = [night for night in new if night not in self._counted]
        for start in range(0, len(left), _NIGHTS_AT_ONCE):
            few = left[start : start + _NIGHTS_AT_ONCE]
            for night, rows in rows_by_night(self._read(few), few).items():
                matrix = self._matrix(rows)
                self._counted[night] = count_rows(self._bins, matrix), summarise_night(matrix)
                if night in contents:
                    kept[contents[night]] = self._counted[night]

    def _matrix(self, rows: pa.Table) -> NDArray[np.float32]:
        return without_others(self._encoder, self._encoder.transform(rows))

    def _read(self, nights: Sequence[Night]) -> pa.Table:
        return self._site.tables.read(features_table(self._bundle.feature_set), nights, list(self._encoder.names))

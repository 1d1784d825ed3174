"""Measures prediction drift: the probabilities of late nights against the champion's test block and the nights before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.missing_numbers import null_if_nan
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.watched_scores import PREDICTION_DRIFT_SCHEMA
from ml_pipeline.domain.drift import stability_index
from ml_pipeline.domain.drift_effect import WindowEffect, find_drift, window_effect
from ml_pipeline.domain.prediction_drift import count_probabilities, probability_bins
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.io.table_store import NightInputs, PublishResult, TableStore, stale_nights
from ml_pipeline.nights import Night, lookback_nights, nights_between
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site, features_table

PREDICTION_DRIFT = "monitoring/prediction_drift"

Floats = NDArray[np.float64]


def measure_prediction_drift(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish, for each of ``nights``, how far the probabilities of its window have moved; one that was not scored is empty.

    Only nights that the night's champion scored as champion are compared: another model, or what stood in for it, says
    something else on the same rows. Of a night that a lower rung answered nothing is measured, and the finding is missing.
    """
    inputs = _inputs(site, nights)
    stale = stale_nights(inputs, site.tables.published(PREDICTION_DRIFT, nights))
    if not stale:
        return PublishResult(PREDICTION_DRIFT, site.tables.version(PREDICTION_DRIFT), (), tuple(inputs), 0)
    scored = _scored(site, sorted(set().union(*(_reach(site, night) for night in stale))))
    watchers: dict[str, _Watcher] = {}
    entries = []
    for night in stale:
        if night in scored:
            version = scored[night].model_version
            if version not in watchers:
                watchers[version] = _Watcher(site, version, scored)
            entries.append(watchers[version].entry(night))
    rows = pa.Table.from_pylist(entries, schema=PREDICTION_DRIFT_SCHEMA)
    result = site.tables.publish(
        PREDICTION_DRIFT, rows, {night: inputs[night] for night in stale}, key=["model_version"], may_grow=True
    )
    publish_catalog(site)
    site.progress(f"{PREDICTION_DRIFT}: measured {len(stale)} nights")
    return result


def stale_prediction_drift(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never measured, or whose scores have changed since."""
    return stale_nights(_inputs(site, nights), site.tables.published(PREDICTION_DRIFT, nights))


def _reach(site: Site, night: Night) -> tuple[Night, ...]:
    rules = site.project.drift
    nights = site.project.monitoring.window_nights + rules.trailing_nights + rules.of_windows - 1
    return lookback_nights(night, nights, first_night=site.project.first_night)


def _inputs(site: Site, nights: Sequence[Night]) -> dict[Night, NightInputs]:
    site.calendar.require(nights)
    wanted = sorted(set(nights))
    reaches = {night: _reach(site, night) for night in wanted}
    scores = site.tables.published(SCORES, sorted(set().union(*reaches.values())))
    rules = (site.project.monitoring.window_nights, site.project.drift.model_dump())
    return {
        night: NightInputs.made_from([(past, scores[past].content_hash) for past in reach if past in scores], *rules)
        for night, reach in reaches.items()
    }


@dataclass(frozen=True)
class _ScoredNight:
    served_by: str
    model_version: str
    probabilities: Floats


def _scored(site: Site, nights: Sequence[Night]) -> Mapping[Night, _ScoredNight]:
    """The scored ones of ``nights``; a night is answered by one model."""
    published = sorted(site.tables.published(SCORES, nights))
    if not published:
        return {}
    rows = site.tables.read(SCORES, published, ["probability", "served_by", "model_version"])
    dates, starts, counts = np.unique(rows[SCORE_DATE].to_numpy(), return_index=True, return_counts=True)
    probabilities, rungs, versions = rows["probability"].to_numpy(), rows["served_by"], rows["model_version"]
    return {
        date: _ScoredNight(
            str(rungs[int(start)].as_py()), str(versions[int(start)].as_py()), probabilities[start : start + count]
        )
        for date, start, count in zip(dates.tolist(), starts, counts, strict=True)
    }


class _Watcher:
    """Prediction drift of several nights of one model."""

    def __init__(self, site: Site, version: str, scored: Mapping[Night, _ScoredNight]) -> None:
        self._site, self._version = site, version
        by_champion = {night: one for night, one in scored.items() if one.served_by == "champion"}
        self._fallbacks = set(scored) - set(by_champion)
        self._said = {night: one.probabilities for night, one in by_champion.items() if one.model_version == version}
        self._test = _test_probabilities(site, version)
        self._bins = probability_bins(self._test)
        self._counts = {night: count_probabilities(self._bins, said) for night, said in self._said.items()}
        self._effects: dict[Night, WindowEffect] = {}

    def entry(self, night: Night) -> dict[str, object]:
        project, rules = self._site.project, self._site.project.drift
        last_nights = lookback_nights(night, project.monitoring.window_nights, first_night=project.first_night)
        fallbacks = len(self._fallbacks.intersection(last_nights))
        if night in self._fallbacks:
            nothing = {"window_nights": 0, "rows": 0, "finding": "missing"}
            return {SCORE_DATE: night, "model_version": self._version, **nothing, "fallback_nights": fallbacks}
        window, trailing = self._window(night)
        newest = self._effect(night)
        last = lookback_nights(night, rules.of_windows, first_night=project.first_night)
        (finding,) = find_drift(rules, [self._effect(each) for each in last])
        psi = stability_index(self._bins, self._sum(window)) if len(self._test) else np.array([np.nan])
        return {
            SCORE_DATE: night, "model_version": self._version, "window_nights": len(window),
            "rows": sum(len(self._said[each]) for each in window), "mean_probability": self._mean(window),
            "trailing_mean_probability": self._mean(trailing),
            "test_mean_probability": float(self._test.mean()) if len(self._test) else None, "psi": null_if_nan(psi[0]),
            "effect_test": null_if_nan(newest.training[0]), "effect_trailing": null_if_nan(newest.trailing[0]), "finding": finding,
            "fallback_nights": fallbacks,
        }  # fmt: skip

    def _window(self, last: Night) -> tuple[list[Night], list[Night]]:
        """The model's own nights of the window that ends with ``last``, and of those before it."""
        project = self._site.project
        length = project.monitoring.window_nights
        both = lookback_nights(last, length + project.drift.trailing_nights, first_night=project.first_night)
        own = [night for night in both if night in self._said]
        return [night for night in own if night in both[-length:]], [
            night for night in own if night not in both[-length:]
        ]

    def _effect(self, last: Night) -> WindowEffect:
        if last not in self._effects:
            window, trailing = (
                np.array([self._counts[night] for night in nights], dtype=np.int64).reshape(
                    -1, *self._bins.counts.shape
                )
                for nights in self._window(last)
            )
            self._effects[last] = window_effect(self._site.project.drift, window, trailing, self._bins.counts)
        return self._effects[last]

    def _sum(self, nights: Sequence[Night]) -> NDArray[np.int64]:
        return np.asarray(sum((self._counts[night] for night in nights), np.zeros_like(self._bins.counts)))

    def _mean(self, nights: Sequence[Night]) -> float | None:
        return float(np.concatenate([self._said[night] for night in nights]).mean()) if nights else None


def _test_probabilities(site: Site, version: str) -> Floats:
    """What the model says of the rows of its own test block; none for a bundle or a block that is gone."""
    try:
        bundle = read_bundle(site.models, version)
    except BundleError:
        return np.empty(0)
    table = features_table(bundle.feature_set)
    published = site.tables.published(table, _test_nights(bundle))
    if set(published) != set(_test_nights(bundle)):
        return np.empty(0)
    made_from = NightInputs.made_from([(night, published[night].content_hash) for night in sorted(published)])
    return _score_test_block(site.tables, site.models, version, site.threads, made_from.inputs_hash)


def _test_nights(bundle: ModelBundle) -> tuple[Night, ...]:
    first, last = (Night.fromisoformat(text) for text in bundle.manifest["blocks"]["test"])
    return nights_between(first, last)


# Once a process: a replay of a year asks for it on every night.
@lru_cache(maxsize=8)
def _score_test_block(tables: TableStore, models: Path, version: str, threads: int, _made_from: str) -> Floats:
    bundle = read_bundle(models, version)
    scorer = load_scorer(bundle)
    rows = tables.read(features_table(bundle.feature_set), _test_nights(bundle), list(scorer.encoder.names))
    return scorer.calibrator.probability(raw_scores(scorer, scorer.encoder.transform(rows), threads=threads))

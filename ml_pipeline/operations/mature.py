"""Joins scores with the outcomes that became known, and measures model and baseline: night by night, window and slice."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.missing_numbers import nulls_for_nan
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import PERFORMANCE_SCHEMA, SLICE_PERFORMANCE_SCHEMA
from ml_pipeline.domain.night_bootstrap import Draws, draw_nights
from ml_pipeline.domain.paired_bootstrap import RESAMPLES
from ml_pipeline.domain.realised_performance import RealisedRows, realised_performance, slice_performance
from ml_pipeline.domain.reliability import SliceColumn
from ml_pipeline.io.table_store import PublishResult
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.judged_nights import (
    LONGEST_WINDOW_NIGHTS,
    JudgedEvidence,
    JudgedRows,
    JudgedTable,
    JudgingPlan,
    judged_rows,
    plan_judging,
    publish_judged,
)
from ml_pipeline.operations.promises import ModelPromises
from ml_pipeline.operations.site import Site

PERFORMANCE = "monitoring/performance"
SLICE_PERFORMANCE = "monitoring/slice_performance"
_WINDOWS_NIGHTS = (1, 7, LONGEST_WINDOW_NIGHTS)


def measure_performance(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish, for each of ``nights``, how the scores did whose label horizon ends with it; the same by slice beside it.

    Night ``N`` judges the night ``N - label horizon`` and the windows of 7 and 28 nights that end there, by the labels
    known to ``N``: what was published, whoever answered; ``fallback_nights`` counts those that the champion did not. Nights before the first scored one have nothing to judge and are published empty.
    """
    judge = _Judge(site)
    return publish_judged(
        site, _plan(site, nights),
        JudgedTable(PERFORMANCE, PERFORMANCE_SCHEMA, ("window_nights", "subject"), judge.windows),
        JudgedTable(SLICE_PERFORMANCE, SLICE_PERFORMANCE_SCHEMA, ("feature", "value", "subject"), judge.slices),
        names=(*site.project.promotion.slices, *site.project.promotion.groups),
    )  # fmt: skip


def stale_performance(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never judged, or whose scores or labels have changed since."""
    return _plan(site, nights).stale


def _plan(site: Site, nights: Sequence[Night]) -> JudgingPlan:
    project = site.project
    terms = project.promotion.model_dump(include={"slices", "groups", "min_slice_rows"})
    made_from = (project.label.model_dump(), project.decision.model_dump(), terms, project.training.seed, RESAMPLES)
    return plan_judging(site, [PERFORMANCE, SLICE_PERFORMANCE], nights, made_from=made_from)


class _Judge:
    def __init__(self, site: Site) -> None:
        self._site, self._promises = site, ModelPromises(site)
        self._newest: tuple[Night, JudgedRows] | None = None

    def windows(self, night: Night, scored: Sequence[Night], evidence: JudgedEvidence) -> Iterator[dict[str, object]]:
        rows = self._rows(night, scored, evidence)
        answered = _Answered.of(evidence.scores.slice(rows.first, len(rows.dates)))
        for window in _WINDOWS_NIGHTS:
            in_window = rows.dates >= np.datetime64(nights_back(rows.last_night, window - 1))
            known = np.flatnonzero(in_window & ~np.isnan(rows.labels))
            found = realised_performance(
                self._site.project.decision, _realised(rows).of_rows(known), self._draws(rows.dates[known])
            )
            for subject in ("model", "baseline"):
                yield {
                    SCORE_DATE: night, "last_scored_night": rows.last_night, "window_nights": window, "subject": subject,
                    **_counts(int(in_window.sum()), len(known)), **nulls_for_nan(found[subject]),
                    "promised_log_loss": self._promised(answered, known, subject),
                    **answered.facts(rows.dates, in_window),
                }  # fmt: skip

    def slices(self, night: Night, scored: Sequence[Night], evidence: JudgedEvidence) -> Iterator[dict[str, object]]:
        rows = self._rows(night, scored, evidence)
        known = np.flatnonzero(~np.isnan(rows.labels))
        draws, realised = self._draws(rows.dates[known]), _realised(rows).of_rows(known)
        for column in evidence.slices:
            scored_codes = column.code_of_row[rows.first : rows.first + len(rows.dates)]
            codes, costs = scored_codes[known], self._site.project.decision
            here = SliceColumn(column.feature, column.names, codes)
            for value, found in slice_performance(costs, realised, here, draws):
                code = column.names.index(value)
                finding = self._finding(found["model"])
                for subject in ("model", "baseline"):
                    yield {
                        SCORE_DATE: night, "last_scored_night": rows.last_night, "window_nights": LONGEST_WINDOW_NIGHTS,
                        "feature": column.feature, "value": value, "subject": subject,
                        **_counts(int((scored_codes == code).sum()), int((codes == code).sum())), **nulls_for_nan(found[subject]),
                        "finding": finding if subject == "model" else None,
                    }  # fmt: skip

    def _rows(self, night: Night, scored: Sequence[Night], evidence: JudgedEvidence) -> JudgedRows:
        """Matched once for both tables, which are made night by night."""
        if self._newest is None or self._newest[0] != night:
            self._newest = night, judged_rows(self._site, night, scored, evidence)
        return self._newest[1]

    def _draws(self, dates: NDArray[np.datetime64]) -> Draws:
        if not len(dates):
            return Draws(np.empty((RESAMPLES, 0)), np.empty(0, dtype=np.int64))
        return draw_nights(dates, samples=RESAMPLES, seed=self._site.project.training.seed)

    def _promised(self, answered: "_Answered", known: NDArray[np.int64], subject: str) -> float | None:
        """What those who answered the ``known`` rows promised, in the mean of them; None if of one of them it is not known."""
        counts = np.bincount(answered.code_of_row[known], minlength=len(answered.who))
        here = np.flatnonzero(counts)
        promised = [
            self._promises.log_loss(version, "baseline" if rung == "baseline" else subject)
            for rung, version in (answered.who[int(code)] for code in here)
        ]
        values = [value for value in promised if value is not None]
        return float(np.average(values, weights=counts[here])) if values and len(values) == len(here) else None

    def _finding(self, model: Mapping[str, float]) -> str:
        if model["rows"] < self._site.project.promotion.min_slice_rows or math.isnan(model["log_loss_gain_low"]):
            return "too few rows"
        if model["log_loss_gain_high"] < 0:
            return "worse than the baseline"
        return "better than the baseline" if model["log_loss_gain_low"] > 0 else "not told apart"


@dataclass(frozen=True)
class _Answered:
    """Who answered: (rung, version) of each code, and the code of each row, shape (rows,)."""

    who: tuple[tuple[str, str], ...]
    code_of_row: NDArray[np.int64]

    @classmethod
    def of(cls, scores: pa.Table) -> "_Answered":
        rungs, versions = (scores[name].combine_chunks().dictionary_encode() for name in ("served_by", "model_version"))
        codes = rungs.indices.to_numpy().astype(np.int64) * len(versions.dictionary) + versions.indices.to_numpy()
        return cls(tuple(product(rungs.dictionary.to_pylist(), versions.dictionary.to_pylist())), codes)

    def facts(self, dates: NDArray[np.datetime64], in_window: NDArray[np.bool_]) -> dict[str, object]:
        """Of the last row's night, and how many nights of the window were not the champion's; a night has one answer."""
        rung, version = self.who[int(self.code_of_row[-1])]
        is_fallback = np.array([rung != "champion" for rung, _ in self.who])[self.code_of_row]
        fallback_nights = len(np.unique(dates[in_window & is_fallback]))
        return {"served_by": rung, "model_version": version, "fallback_nights": fallback_nights}


def _realised(rows: JudgedRows) -> RealisedRows:
    return RealisedRows(rows.labels, rows.probabilities, rows.acts)


def _counts(scored: int, known: int) -> dict[str, object]:
    return {"rows_scored": scored, "coverage": known / scored}

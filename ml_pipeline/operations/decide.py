"""Decides each night whether to retrain, and publishes the verdict with its reasons."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import DECISION_SCHEMA
from ml_pipeline.domain.retraining import DriftNight, decide
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import require_built
from ml_pipeline.operations.watch import DRIFT

DECISIONS = "monitoring/retraining_decisions"

Entry = dict[str, object]


def decide_retraining(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish one decision for each of ``nights``, from the drift measured up to it."""
    entries = _decided_nights(site, nights)
    rows = pa.Table.from_pylist(list(entries.values()), schema=DECISION_SCHEMA)
    result = site.tables.publish(DECISIONS, rows, _inputs(entries), key=["model_version"])
    publish_catalog(site)
    return result


def stale_decisions(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never decided, or would be decided otherwise now."""
    return stale_nights(_inputs(_decided_nights(site, nights)), site.tables.published(DECISIONS, nights))


def _inputs(entries: Mapping[Night, Entry]) -> dict[Night, NightInputs]:
    return {night: NightInputs.made_from(entry) for night, entry in entries.items()}


def _decided_nights(site: Site, nights: Sequence[Night]) -> dict[Night, Entry]:
    require_built(site, DRIFT, tuple(sorted(set(nights))))
    history = _history(site, max(nights))
    return {
        night: _decided(site, [entry for entry in history if entry.night <= night]) for night in sorted(set(nights))
    }


def _history(site: Site, last: Night) -> list[DriftNight]:
    """Share of drifted features by night, up to ``last``."""
    nights = [night for night in site.tables.published(DRIFT) if night <= last]
    drift = site.tables.read(DRIFT, nights, ["model_version", "is_drifted"])
    grouped = drift.append_column("share", drift.column("is_drifted").cast(pa.int8()))
    shares = grouped.group_by([SCORE_DATE, "model_version"]).aggregate([("share", "mean")]).sort_by(SCORE_DATE)
    return [
        DriftNight(row[SCORE_DATE], row["model_version"], float(np.float64(row["share_mean"])))
        for row in shares.to_pylist()
    ]


def _decided(site: Site, history: Sequence[DriftNight]) -> Entry:
    tonight = history[-1]
    trained_on = Night.fromisoformat(read_bundle(site.models, tonight.model_version).manifest["trained_on"])
    decision = decide(site.project.monitoring, history, trained_on=trained_on)
    return {
        SCORE_DATE: tonight.night, "model_version": tonight.model_version, "drifted_share": tonight.drifted_share,
        "verdict": decision.verdict, "evidence_id": decision.evidence_id, "reasons": "; ".join(decision.reasons),
    }  # fmt: skip


def newest_decision(site: Site) -> Entry | None:
    """The decision of the newest decided night, None before the first."""
    nights = site.tables.published(DECISIONS)
    rows = site.tables.read(DECISIONS, [max(nights)]).to_pylist() if nights else []
    return rows[-1] if rows else None

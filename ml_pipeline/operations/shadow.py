"""The shadow lane: the challenger scores the nights that the champion serves, and nobody acts on it.

What it said is compared with what was served once the outcomes are known: rows that neither model was trained on, scored
at the time and not in hindsight. (Shadow deployment: Breck et al., "The ML Test Score", 2017, test Infra 6.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.serving import AS_OF_POLICY, SCORES, SHADOW_SCORES
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.evaluation import row_log_loss
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.paired_bootstrap import Gain, paired_gain
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.build import LABELS, build_features
from ml_pipeline.operations.promote import PROMOTIONS, champion_on
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score_audit import ScoreAuditError, audited, in_words
from ml_pipeline.operations.score_rows import score_rows
from ml_pipeline.operations.site import Site, features_table

_SHADOW = "challenger"


@dataclass(frozen=True)
class ShadowNights:
    """What was published, and the challenger of each night; nights without one are not in it."""

    published: PublishResult
    version_by_night: dict[Night, str]


@dataclass(frozen=True)
class ShadowEvidence:
    """How a challenger compares with the champion on the nights that it scored in the shadow.

    Attributes:
        challenger: None if there is none.
        champion: who serves.
        nights: matured nights that both scored as of the night.
        gain: log loss per row of the champion less that of the challenger, with its interval; None without such rows.
        is_enough: whether so many nights have matured as the project asks for.
        reasons: in words, what there is and what is missing.
    """

    challenger: str | None
    champion: str | None
    nights: tuple[Night, ...]
    gain: Gain | None
    is_enough: bool
    reasons: tuple[str, ...]


def challenger_on(entries: Sequence[dict[str, Any]], night: Night) -> str | None:
    """The model that wants to serve on ``night``: the one that the gate judged last by then, unless it is the champion.

    It was trained by the night on which it was judged, so it knows no outcome of ``night``.
    """
    judged = [entry for entry in entries if entry.get("judged_on") and entry["judged_on"] <= str(night)]
    version = str(judged[-1]["challenger"]) if judged else None
    withdrawn = {name for entry in entries for name in entry.get("withdrawn") or ()}
    return None if version is None or version in withdrawn or version == champion_on(entries, night) else version


def score_in_the_shadow(site: Site, nights: Sequence[Night]) -> ShadowNights:
    """Publish in ``shadow_scores`` what the challenger of each of ``nights`` says, in one commit.

    Nights without a challenger are left out. There is no ladder: a damaged challenger is refused, and serves nobody.

    Raises:
        BundleError: the challenger is damaged. ScoreAuditError: its scores fail the audit; nothing was published.
    """
    site.calendar.require(nights)
    entries = site.ledger(PROMOTIONS).entries()
    found = {night: challenger_on(entries, night) for night in sorted(set(nights))}
    wanted = {night: version for night, version in found.items() if version is not None}
    before = site.tables.published(SHADOW_SCORES, list(wanted)) if wanted else {}
    parts: list[pa.Table] = []
    inputs: dict[Night, NightInputs] = {}
    for version in sorted(set(wanted.values())):
        rows, fresh = _shadow_rows(site, version, [night for night in wanted if wanted[night] == version], before)
        parts.extend(rows)
        inputs |= fresh
    current = tuple(night for night in wanted if night not in inputs)
    result = PublishResult(SHADOW_SCORES, site.tables.version(SHADOW_SCORES), (), current, 0)
    if inputs:
        result = site.tables.publish(SHADOW_SCORES, pa.concat_tables(parts), inputs, key=site.project.entity_key)
        publish_catalog(site)
    return ShadowNights(result, wanted)


def _shadow_rows(
    site: Site, version: str, nights: Sequence[Night], before: dict[Night, Any]
) -> tuple[list[pa.Table], dict[Night, NightInputs]]:
    bundle = read_bundle(site.models, version)
    built = build_features(site, nights, sql=bundle.feature_set)
    features = site.tables.published(built.table, nights, version=built.version)
    fresh = {
        night: NightInputs(
            NightInputs.made_from(_SHADOW, version, features[night].content_hash).inputs_hash,
            {features_table(bundle.feature_set): built.version},
        )
        for night in nights
    }
    stale = stale_nights(fresh, before)
    if not stale:
        return [], {}
    read = site.tables.read(built.table, stale, version=built.version)
    rows = score_rows(site, bundle, read)
    audits = audited(rows, read, stale, bundle.feature_set.project.entity_key, version=version)
    if failed := [audit for audit in audits if audit.broken]:
        raise ScoreAuditError(f"table {SHADOW_SCORES}: {in_words(failed)}. Nothing was published. Model {version}")
    place = rows.schema.get_field_index("served_by")
    shown = rows.set_column(place, rows.schema.field(place), pa.repeat(pa.scalar(_SHADOW), rows.num_rows))
    return [shown], {night: fresh[night] for night in stale}


def shadow_evidence(site: Site, night: Night) -> ShadowEvidence:
    """Compare the challenger of ``night`` with its champion, by the labels known to ``night``.

    Only nights count whose label horizon ends by ``night``, and rows that the champion itself served as of the night: a
    stopgap says nothing of it, and another policy may have known the outcome.
    """
    entries = site.ledger(PROMOTIONS).entries()
    challenger, champion = challenger_on(entries, night), champion_on(entries, night)
    if challenger is None or champion is None:
        missing = "challenger" if challenger is None else "champion"
        return ShadowEvidence(challenger, champion, (), None, False, (f"there is no {missing} on night {night}",))
    last = nights_back(night, site.project.label.horizon_nights)
    shadowed = [past for past in site.tables.published(SHADOW_SCORES) if past <= last]
    asked = site.project.serving.shadow_nights
    if not shadowed:
        return ShadowEvidence(challenger, champion, (), None, False, tuple(_told(None, 0, asked)))
    rows, labels = _matured(site, _paired(site, challenger, champion, shadowed), shadowed[0], night)
    dates = rows.column(SCORE_DATE).to_numpy().astype("datetime64[D]")
    nights = tuple(found.item() for found in np.unique(dates))
    losses = {who: row_log_loss(labels, rows.column(who).to_numpy()) for who in ("champion", "challenger")}
    gain = paired_gain(
        dates, losses["champion"] - losses["challenger"], confidence=site.project.promotion.confidence,
        seed=site.project.training.seed,
    )  # fmt: skip
    reasons = tuple(_told(gain if nights else None, len(nights), asked))
    return ShadowEvidence(challenger, champion, nights, gain if nights else None, len(nights) >= asked, reasons)


def _matured(site: Site, rows: pa.Table, first: Night, known_by: Night) -> tuple[pa.Table, NDArray[np.float64]]:
    """The rows whose label is known to ``known_by``, and their labels."""
    known = [night for night in site.tables.published(LABELS) if first <= night <= known_by]
    labels = match_labels(rows, site.tables.read(LABELS, known), site.project.entity_key)
    is_known = ~np.isnan(labels)
    return rows.filter(pa.array(is_known)), labels[is_known]


def _paired(site: Site, challenger: str, champion: str, nights: Sequence[Night]) -> pa.Table:
    """Rows of both: ``score_date``, key, and the probability of each under ``champion`` and ``challenger``; in order."""
    key = [SCORE_DATE, *site.project.entity_key]
    read = [*key, "probability", "model_version", "served_by", "backfill_policy"]
    said = site.tables.read(SHADOW_SCORES, nights, read)
    said = said.filter(pc.equal(said.column("model_version"), challenger))
    served = site.tables.read(SCORES, nights, read)
    fair = {"model_version": champion, "served_by": "champion", "backfill_policy": str(AS_OF_POLICY)}
    for name, value in fair.items():
        served = served.filter(pc.equal(served.column(name), value))
    left = served.select([*key, "probability"]).rename_columns([*key, "champion"])
    right = said.select([*key, "probability"]).rename_columns([*key, "challenger"])
    return left.join(right, key, join_type="inner").sort_by([(name, "ascending") for name in key]).combine_chunks()


def _told(gain: Gain | None, nights: int, asked: int) -> list[str]:
    told = [f"{nights} matured nights in the shadow, {asked} are asked for"]
    if gain is not None:
        told.append(
            f"log loss per row better by {gain.mean:.4f} ({gain.low:.4f} to {gain.high:.4f}, {gain.confidence:.0%} each) "
            f"over {gain.rows:,} rows"
        )
    return told

"""What the shadow has shown: a model's nights in the shadow beside those that the champion served, on matured labels."""

import math
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
from ml_pipeline.domain.look_schedule import Look, look_confidence
from ml_pipeline.domain.paired_bootstrap import Gain, paired_gain
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.promote import PROMOTIONS, champion_on
from ml_pipeline.operations.shadow_lanes import Lane, lanes_on
from ml_pipeline.operations.site import Site


@dataclass(frozen=True)
class PairedRows:
    """Rows that the champion served and a lane scored, in order of night and key, with their labels of shape (rows,).

    ``rows`` has ``score_date``, the key, and of both, ``champion`` and ``shadow``, the probability under its name and the
    decision under ``champion_acts`` and ``shadow_acts``.
    """

    rows: pa.Table
    labels: NDArray[np.float64]

    @property
    def dates(self) -> NDArray[np.datetime64]:
        return np.asarray(self.rows.column(SCORE_DATE).to_numpy()).astype("datetime64[D]")

    @property
    def nights(self) -> tuple[Night, ...]:
        return tuple(night.item() for night in np.unique(self.dates))


@dataclass(frozen=True)
class ShadowEvidence:
    """How a model in the shadow compares with the champion on the nights that both scored.

    Attributes:
        challenger: the model in the shadow; None if there is none.
        champion: who serves.
        nights: matured nights that both scored as of the night.
        gain: log loss per row of the champion less that of the other, with the interval of a look; None without such rows.
        is_enough: whether so many nights have matured as the project asks for.
        reasons: in words, what there is and what is missing.
    """

    challenger: str | None
    champion: str | None
    nights: tuple[Night, ...]
    gain: Gain | None
    is_enough: bool
    reasons: tuple[str, ...]

    def as_numbers(self, look: Look | None = None) -> dict[str, Any]:
        """What the ledger records of it, and of a look at it; None for what is not known."""
        gain = {} if self.gain is None else self.gain.as_dict()
        known = {name: value if math.isfinite(value) else None for name, value in gain.items()}
        return ({} if look is None else {"look": look.number}) | {"shadow": {**known, "nights": len(self.nights)}}


def shadow_evidence(site: Site, night: Night) -> ShadowEvidence:
    """Compare the challenger of ``night`` with its champion, by the labels known to ``night``."""
    entries = site.ledger(PROMOTIONS).entries()
    found = {lane.role: lane for lane in lanes_on(entries, night, site.project.serving)}
    lane, champion = found.get("challenger"), champion_on(entries, night)
    if lane is None or champion is None:
        missing = "challenger" if lane is None else "champion"
        told = f"there is no {missing} on night {night}"
        return ShadowEvidence(lane.version if lane else None, champion, (), None, False, (told,))
    return lane_evidence(site, lane, night, asked_nights=site.project.serving.shadow_nights)


def lane_evidence(site: Site, lane: Lane, night: Night, *, asked_nights: int) -> ShadowEvidence:
    """Compare ``lane`` with the champion that it stands beside, by the labels known to ``night``."""
    paired = paired_rows(site, lane, night)
    if paired is None or not paired.nights:
        return ShadowEvidence(lane.version, lane.champion, (), None, False, tuple(_told(None, 0, asked_nights)))
    losses = {who: row_log_loss(paired.labels, paired.rows.column(who).to_numpy()) for who in ("champion", "shadow")}
    gain = paired_gain(
        paired.dates, losses["champion"] - losses["shadow"],
        confidence=look_confidence(site.project.promotion.confidence), seed=site.project.training.seed,
    )  # fmt: skip
    count = len(paired.nights)
    reasons = tuple(_told(gain, count, asked_nights))
    return ShadowEvidence(lane.version, lane.champion, paired.nights, gain, count >= asked_nights, reasons)


def paired_rows(site: Site, lane: Lane, night: Night) -> PairedRows | None:
    """The rows of ``lane`` and its champion whose label is known to ``night``; None if there is nothing to read.

    Only nights count whose label horizon ends by ``night``, and rows that the champion itself served as of the night: a
    stopgap says nothing of it, and another policy may have known the outcome.
    """
    last = min(lane.last, nights_back(night, site.project.label.horizon_nights))
    if lane.champion is None or last < lane.since:
        return None
    shadowed = sorted(site.tables.published(SHADOW_SCORES, nights_between(lane.since, last)))
    if not shadowed:
        return None
    rows = _paired(site, lane, shadowed)
    known = sorted(site.tables.published(LABELS, nights_between(shadowed[0], night)))
    labels = match_labels(rows, site.tables.read(LABELS, known), site.project.entity_key)
    is_known = ~np.isnan(labels)
    return PairedRows(rows.filter(pa.array(is_known)), labels[is_known])


def _paired(site: Site, lane: Lane, nights: Sequence[Night]) -> pa.Table:
    key = [SCORE_DATE, *site.project.entity_key]
    read = [*key, "probability", "decision", "model_version", "served_by", "backfill_policy"]
    said = site.tables.read(SHADOW_SCORES, nights, read)
    said = said.filter(pc.equal(said.column("model_version"), lane.version))
    served = site.tables.read(SCORES, nights, read)
    fair = {"model_version": lane.champion, "served_by": "champion", "backfill_policy": str(AS_OF_POLICY)}
    for name, value in fair.items():
        served = served.filter(pc.equal(served.column(name), value))
    mine, theirs = (
        rows.select([*key, "probability", "decision"]).rename_columns([*key, who, f"{who}_acts"])
        for who, rows in (("shadow", said), ("champion", served))
    )
    return theirs.join(mine, key, join_type="inner").sort_by([(name, "ascending") for name in key]).combine_chunks()


def _told(gain: Gain | None, nights: int, asked: int) -> list[str]:
    told = [f"{nights} matured nights in the shadow, {asked} are asked for"]
    if gain is not None:
        told.append(
            f"log loss per row better by {gain.mean:.4f} ({gain.low:.4f} to {gain.high:.4f}, {gain.confidence:.1%} each) "
            f"over {gain.rows:,} rows"
        )
    return told

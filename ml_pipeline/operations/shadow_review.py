"""Reviews the shadow each night: second looks at a refused challenger, the probation of a fresh champion, and what came of it.

A night's review rests on labels known to it, and what it decides holds from the first night that is not yet published. What
is decided is in the ledger of promotions: a review that is run again finds it there, and shows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ml_pipeline.contracts.serving import SHADOW_REVIEW
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import SHADOW_REVIEW_SCHEMA
from ml_pipeline.domain.look_schedule import Look, next_look
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.model_bundle import BundleError
from ml_pipeline.io.table_store import NightInputs, PublishResult
from ml_pipeline.nights import Night
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.probation import asked_nights, judge_champion, probation_look
from ml_pipeline.operations.promote import PROMOTIONS, Entry, follow_ledger
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.second_look import take_second_look
from ml_pipeline.operations.shadow_evidence import ShadowEvidence, lane_evidence
from ml_pipeline.operations.shadow_lanes import Lane, decisions_on, is_final, open_lanes
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import require_built

Row = dict[str, object]


@dataclass(frozen=True)
class ShadowReview:
    """What was published, and the rows of each night on which there was anything to review."""

    published: PublishResult
    rows_by_night: dict[Night, list[Row]]


def review_shadow(site: Site, nights: Sequence[Night]) -> ShadowReview:
    """Review ``nights``, one after the other, and publish what was found and decided; nights without a case are left out.

    The catalog follows where something was decided; a night that only waits is shown by the next to publish it.

    Raises:
        LookupError: labels, or features that a second look needs, were never built for a night.
    """
    site.calendar.require(nights)
    rows = {night: found for night in sorted(set(nights)) if (found := _reviewed(site, night))}
    if not rows:
        return ShadowReview(PublishResult(SHADOW_REVIEW, site.tables.version(SHADOW_REVIEW), (), (), 0), {})
    table = pa.Table.from_pylist([row for found in rows.values() for row in found], schema=SHADOW_REVIEW_SCHEMA)
    inputs = {night: NightInputs.made_from(found) for night, found in rows.items()}
    result = site.tables.publish(SHADOW_REVIEW, table, inputs, key=["role"])
    if any(row["verdict"] != "wait" for found in rows.values() for row in found):
        publish_catalog(site)
    return ShadowReview(result, rows)


def _reviewed(site: Site, night: Night) -> list[Row]:
    entries = site.ledger(PROMOTIONS).entries()
    rows = []
    # The predecessor first: if it takes its place back, the challenger has another champion to beat.
    for lane in open_lanes(entries, night, site.project.serving):
        said = decisions_on(entries, lane)
        if any(is_final(each) and each["judged_on"] < str(night) for each in said):
            continue
        rows.append(_row_of(site, lane, night, said))
    return rows


def _row_of(site: Site, lane: Lane, night: Night, said: Sequence[Entry]) -> Row:
    tonight = next((each for each in said if each["judged_on"] == str(night)), None)
    if tonight is None:
        require_built(site, LABELS, (night,))
        taken = sum(each["judged_on"] < str(night) for each in said)
        evidence = lane_evidence(site, lane, night, asked_nights=_asked(site, lane, taken))
        look = _due(site, lane, night, taken=taken, nights=len(evidence.nights))
        # A night before a look that was taken is over: run again, it shows what it saw then, and decides nothing.
        is_over = any(each["judged_on"] > str(night) for each in said)
        if look is None or is_over:
            return _waiting(lane, night, evidence)
        try:
            tonight = _looked(site, lane, look, night, evidence)
        except BundleError as error:
            return _waiting(lane, night, evidence, str(error))
    if tonight is None:
        return _waiting(lane, night, evidence, "overtaken: another model serves or was judged meanwhile")
    _settle(site, lane, tonight, night)
    return _decided(lane, night, tonight)


def _asked(site: Site, lane: Lane, taken: int) -> int:
    serving = site.project.serving
    if lane.role == "predecessor":
        return serving.probation_nights if taken else asked_nights(serving)
    look = next_look(taken, shadow_nights=serving.shadow_nights)
    return look.least_nights if look else 0


def _due(site: Site, lane: Lane, night: Night, *, taken: int, nights: int) -> Look | None:
    serving, horizon = site.project.serving, site.project.label.horizon_nights
    if lane.role == "predecessor":
        return probation_look(lane, night, serving, taken=taken, nights=nights, horizon_nights=horizon)
    look = next_look(taken, shadow_nights=serving.shadow_nights)
    return look if look is not None and nights >= look.least_nights else None


def _looked(site: Site, lane: Lane, look: Look, night: Night, evidence: ShadowEvidence) -> Entry | None:
    take = judge_champion if lane.role == "predecessor" else take_second_look
    return take(site, lane, look, night, evidence)


def _settle(site: Site, lane: Lane, decision: Entry, night: Night) -> None:
    """What follows from a decision that stands in the ledger; done again after a crash in between, and by every re-run."""
    if _verdict(decision) in {"roll_back", "alarm"}:
        is_done = decision["kind"] == "rollback"
        raise_alert(
            site.ledger("alerts"), severity="advisory" if is_done else "blocking",
            title="a fresh champion does worse than its predecessor", night=str(night),
            detail="; ".join(decision["reasons"]), key=f"probation_{lane.champion}_{night}",
        )  # fmt: skip
    if decision["is_promoted"]:
        follow_ledger(site)


def _verdict(decision: Entry) -> str:
    if decision["kind"] == "second_look":
        return "promote" if decision["is_promoted"] else "refuse"
    return "roll_back" if decision["kind"] == "rollback" else str(decision["verdict"])


def _decided(lane: Lane, night: Night, decision: Entry) -> Row:
    """The row of a night on which a look was taken, as the ledger has it."""
    shadow = decision["numbers"]["shadow"]
    return _row(lane, night, shadow, _verdict(decision), decision["reasons"])


def _waiting(lane: Lane, night: Night, evidence: ShadowEvidence, *more: str) -> Row:
    return _row(lane, night, evidence.as_numbers()["shadow"], "wait", (*evidence.reasons, *more))


def _row(lane: Lane, night: Night, shadow: Mapping[str, Any], verdict: str, reasons: Sequence[str]) -> Row:
    return {
        SCORE_DATE: night, "role": lane.role, "challenger": lane.version, "champion": lane.champion,
        "nights": shadow["nights"], "gain": shadow.get("mean"), "low": shadow.get("low"), "high": shadow.get("high"),
        "verdict": verdict, "reasons": "; ".join(reasons),
    }  # fmt: skip

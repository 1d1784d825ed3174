"""Ends a fresh champion's probation: it is kept, or its predecessor takes its place back; recorded either way."""

from ml_pipeline.contracts.serving import ServingContract
from ml_pipeline.domain.look_schedule import LOOKS, Look
from ml_pipeline.domain.probation import ProbationVerdict, judge_probation
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.io.model_bundle import BundleError
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.promote import PROMOTION_LOCK, PROMOTIONS, Entry, next_night
from ml_pipeline.operations.rollback import FailedProbation, OvertakenChampionError, roll_back
from ml_pipeline.operations.shadow_evidence import ShadowEvidence
from ml_pipeline.operations.shadow_lanes import Lane, decisions_on, stands
from ml_pipeline.operations.site import Site


def probation_look(
    lane: Lane, night: Night, serving: ServingContract, *, taken: int, nights: int, horizon_nights: int
) -> Look | None:
    """The look that is due on ``night`` with ``nights`` matured ones: the first after as many as are evidence, the last
    when all nights of the probation have matured; None on other nights.

    The last one asks for no number of nights: a probation ends, also where some of its nights were served by a stopgap.
    """
    if night >= nights_back(lane.last, -horizon_nights):
        return Look(LOOKS, 0)
    return Look(1, asked_nights(serving)) if not taken and nights >= asked_nights(serving) else None


def asked_nights(serving: ServingContract) -> int:
    """The nights that a judgement on a fresh champion needs."""
    return min(serving.shadow_nights, serving.probation_nights)


def judge_champion(site: Site, lane: Lane, look: Look, night: Night, evidence: ShadowEvidence) -> Entry | None:
    """Judge the champion of ``lane`` by ``evidence`` as of ``night`` and record it; a failed one is rolled back.

    One that a person promoted is not: there is an entry that says so, and the caller raises the alarm. Nor is one whose
    predecessor is damaged. None if the champion was overtaken meanwhile, or the look was taken.
    """
    verdict = judge_probation(
        evidence.gain, nights=len(evidence.nights), asked_nights=asked_nights(site.project.serving),
        min_gain=site.project.promotion.min_log_loss_gain, is_last=look.is_last,
    )  # fmt: skip
    if verdict.verdict == "wait" and look.is_last:
        verdict = ProbationVerdict("keep", (*verdict.reasons, "its nights are over, and it stays without a comparison"))
    if verdict.verdict != "roll_back":
        return _record(site, lane, look, night, evidence, verdict=verdict.verdict, reasons=verdict.reasons)
    if lane.is_by_hand:
        reasons = (*verdict.reasons, "a person promoted it, so that a person must withdraw it")
        return _record(site, lane, look, night, evidence, verdict="alarm", reasons=reasons)
    failed = FailedProbation(str(lane.champion), night, evidence.as_numbers(look))
    try:
        roll_back(site, reason="; ".join(verdict.reasons), to=lane.version, failed=failed)
    except OvertakenChampionError:
        return None
    except (BundleError, ValueError) as error:
        reasons = (*verdict.reasons, f"it was not rolled back: {error}")
        return _record(site, lane, look, night, evidence, verdict="alarm", reasons=reasons)
    return site.ledger(PROMOTIONS).entries()[-1]


def _record(
    site: Site, lane: Lane, look: Look, night: Night, evidence: ShadowEvidence, *, verdict: str, reasons: tuple[str, ...]
) -> Entry | None:  # fmt: skip
    with exclusive_lock(site.lock_file(PROMOTION_LOCK)):
        entries = site.ledger(PROMOTIONS).entries()
        first = next_night(site, nights_back(night, -1))
        told = decisions_on(entries, lane)
        is_taken = any(each["numbers"]["look"] >= look.number for each in told)
        if is_taken or not stands(entries, lane, first, site.project.serving):
            return None
        entry: Entry = {
            "kind": "probation", "challenger": lane.champion, "champion_before": lane.version, "judged_on": str(night),
            "effective_from": str(first), "is_promoted": False, "verdict": verdict,
            "reasons": [f"look {look.number} of {LOOKS} at {lane.champion} on probation", *reasons],
            "numbers": evidence.as_numbers(look),
        }  # fmt: skip
        site.ledger(PROMOTIONS).append(entry, after=len(entries))
    return entry

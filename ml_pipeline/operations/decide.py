"""Decides each night what its evidence is worth doing, and publishes the verdict with its reasons: a ledger of every tick."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.missing_numbers import nulls_for_nan
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import DECISION_SCHEMA
from ml_pipeline.domain.policy import Act, PolicyVerdict, Tick, decide
from ml_pipeline.domain.policy_horizon import earliest_act
from ml_pipeline.domain.policy_record import PolicyRecord, Request
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.policy_evidence import HISTORY_NIGHTS, REARMED, read_history, read_record
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import require_built
from ml_pipeline.operations.watch import DRIFT

DECISIONS = "monitoring/retraining_decisions"
_ACTS: tuple[Act, ...] = ("recalibrate", "retrain")

Entry = dict[str, object]


def decide_retraining(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish one verdict for each of ``nights``, from what was published of them and what the ledgers said before them.

    An alarm that is new is raised as an alert, once for each piece of evidence.
    """
    entries = _decided_nights(site, nights)
    rows = pa.Table.from_pylist(list(entries.values()), schema=DECISION_SCHEMA)
    result = site.tables.publish(DECISIONS, rows, _inputs(entries), key=["model_version"], may_grow=True)
    publish_catalog(site)
    for night in result.changed:
        if entries[night]["verdict"] == "alarm":
            _raise(site, entries[night])
    return result


def stale_decisions(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never decided, or would be decided otherwise now."""
    return stale_nights(_inputs(_decided_nights(site, nights)), site.tables.published(DECISIONS, nights))


def rearm(site: Site, *, reason: str, night: Night) -> int:
    """Let the policy ask again from ``night`` on, although challengers were refused in a row; returns the entry's number.

    Raises:
        ValueError: the reason is empty.
    """
    if not reason.strip():
        raise ValueError("rearming the policy needs a reason: say why the next challenger should fare better")
    return site.ledger(REARMED).append({"night": str(night), "reason": reason.strip()})


def newest_decision(site: Site) -> Entry | None:
    """The decision of the newest decided night, None before the first."""
    nights = site.tables.published(DECISIONS)
    rows = site.tables.read(DECISIONS, [max(nights)]).to_pylist() if nights else []
    return rows[-1] if rows else None


def open_request(site: Site) -> Request | None:
    """The newest request that no model was made for yet, None if there is none or it is too old to be answered."""
    nights = site.tables.published(DECISIONS)
    if not nights:
        return None
    since = nights_back(max(nights), site.project.policy.open_nights - 1)
    asked = replace(read_record(site), requests=_requests(site, [night for night in nights if night >= since]))
    return asked.open_request()


def earliest_request(site: Site, night: Night) -> Night:
    """The first night after ``night`` whose verdict could ask for an act, as long as no model is made or judged until then."""
    history = read_history(site, [night])[night]
    if not history:
        return nights_back(night, -1)
    since = nights_back(night, HISTORY_NIGHTS)
    decided = [past for past in site.tables.published(DECISIONS) if since <= past <= night]
    record = replace(read_record(site), requests=_requests(site, decided))
    return earliest_act(site.project.policy, site.project.monitoring, history, record)


def _inputs(entries: Mapping[Night, Entry]) -> dict[Night, NightInputs]:
    return {night: NightInputs.made_from(entry) for night, entry in entries.items()}


def _decided_nights(site: Site, nights: Sequence[Night]) -> dict[Night, Entry]:
    wanted = tuple(sorted(set(nights)))
    require_built(site, DRIFT, wanted)
    histories, record = read_history(site, wanted), read_record(site)
    since = nights_back(wanted[0], HISTORY_NIGHTS)
    before = [
        night for night in site.tables.published(DECISIONS) if since <= night < wanted[-1] and night not in wanted
    ]
    record = replace(record, requests=_requests(site, before))
    entries: dict[Night, Entry] = {}
    for night in wanted:
        verdict = decide(site.project.policy, site.project.monitoring, histories[night], record)
        entries[night] = _entry(histories[night][-1], verdict, record)
        asked = tuple(Request(night, act, verdict.evidence_id) for act in _ACTS if act == verdict.verdict)
        record = replace(record, requests=(*record.requests, *asked))
    return entries


def _requests(site: Site, nights: Sequence[Night]) -> tuple[Request, ...]:
    if not nights:
        return ()
    rows = site.tables.read(DECISIONS, sorted(nights), ["verdict", "evidence_id"])
    asked = rows.filter(pc.is_in(rows["verdict"], pa.array(_ACTS))).to_pylist()
    return tuple(Request(row[SCORE_DATE], row["verdict"], row["evidence_id"]) for row in asked)


def _entry(tick: Tick, verdict: PolicyVerdict, record: PolicyRecord) -> Entry:
    known = record.before(tick.night)
    numbers = {
        "drifted_share": tick.drifted_share, "cost_saving": tick.cost_saving, "gap_low": tick.gap_low,
        "gap_high": tick.gap_high, "estimated_log_loss": tick.estimated_log_loss,
        "promised_log_loss": tick.promised_log_loss, "estimated_saving": tick.estimated_saving,
    }  # fmt: skip
    return {
        SCORE_DATE: tick.night, "model_version": tick.model_version,
        **nulls_for_nan(numbers),
        "matured_rows": tick.matured_rows, "is_bad_data": bool(tick.bad_data), "last_trained": known.last_trained(),
        "rejected_in_a_row": len(known.rejected_in_a_row()), "verdict": verdict.verdict, "severity": verdict.severity,
        "evidence_id": verdict.evidence_id, "reasons": "; ".join(verdict.reasons),
        "is_estimate_trusted": tick.is_estimate_trusted,
    }  # fmt: skip


def _raise(site: Site, entry: Entry) -> None:
    is_breaker = entry["severity"] == "blocking"
    raise_alert(
        site.ledger("alerts"), severity="blocking" if is_breaker else "advisory",
        title="challengers are refused in a row" if is_breaker else "data are bad", night=str(entry[SCORE_DATE]),
        detail=str(entry["reasons"]), key=str(entry["evidence_id"]),
    )  # fmt: skip

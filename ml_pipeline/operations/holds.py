"""Holds what is not as usual until a person has said yes to exactly that delivery."""

from collections.abc import Sequence

import pyarrow as pa

from ml_pipeline.contracts.night_rows import rows_of_night
from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE, SourceContract
from ml_pipeline.domain.landing import SortedRows
from ml_pipeline.domain.night_bounds import judge_nights
from ml_pipeline.io.connectors.connector import HeldFile
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.hold_ledger import HOLDS, Hold, HoldLedger
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.site import Site


class LandingHeldError(RuntimeError):
    """A delivery waits for a person's yes; nothing of this call was published."""


def hold_ledger(site: Site) -> HoldLedger:
    return HoldLedger(site.ledger(HOLDS))


def require_unheld_files(site: Site, source: str, files: Sequence[HeldFile]) -> None:
    """Raise LandingHeldError for the files that a connector would not read by itself."""
    _require_accepted(site, [Hold(source, file.name, file.sha256, file.reasons) for file in files])


def require_usual(site: Site, contract: SourceContract, sorted_rows: SortedRows, nights: Sequence[Night]) -> None:
    """Compare ``nights``, which land for the first time, with the nights before them.

    Raises:
        LandingHeldError: one of them is not as usual, and nobody has accepted this delivery of it.
    """
    if contract.reference or not nights:
        return
    counts = dict.fromkeys(nights, 0)
    counts |= {Night.fromisoformat(night): account.read for night, account in sorted_rows.accounts.items()}
    past = nights_between(nights_back(min(nights), contract.bounds.history_nights), nights_back(max(nights), 1))
    landed = site.tables.published(f"raw/{contract.name}", [night for night in past if night not in counts])
    counts |= {night: entry.facts["read"] - entry.facts.get("released", 0) for night, entry in landed.items()}
    names = [SCORE_DATE, *(name for name in contract.column_names if name not in (*contract.key, KNOWN_AT))]
    rows = sorted_rows.landed.select(names)
    if landed:
        rows = pa.concat_tables([site.tables.read(f"raw/{contract.name}", sorted(landed), names), rows])
    by_night: dict[Night, list[str]] = {}
    for anomaly in judge_nights(rows, counts, nights, contract):
        of = f"column {anomaly.column}, " if anomaly.column else ""
        by_night.setdefault(anomaly.night, []).append(f"{of}{anomaly.rule}: {anomaly.reason}")
    _require_accepted(
        site,
        [
            Hold(contract.name, str(night), content_hash(rows_of_night(sorted_rows.rows, night)), tuple(reasons))
            for night, reasons in sorted(by_night.items())
        ],
    )


def _require_accepted(site: Site, holds: Sequence[Hold]) -> None:
    ledger = hold_ledger(site)
    accepted = ledger.accepted() if holds else {}
    for hold in holds:
        if hold.id in accepted:
            site.progress(f"{hold.source}, {hold.what}: accepted, {accepted[hold.id]}")
    waiting = [hold for hold in holds if hold.id not in accepted]
    if not waiting:
        return
    ledger.record(waiting)
    told = "; ".join(f"{hold.what} [{hold.id}]: {', '.join(hold.reasons)}" for hold in waiting[:10])
    raise LandingHeldError(
        f"source {waiting[0].source}: {len(waiting)} deliveries are held, nothing was landed. {told}. If it is right, "
        f'ml-pipeline hold accept {waiting[0].id} --reason "...", and run again; if not, deliver it again'
    )

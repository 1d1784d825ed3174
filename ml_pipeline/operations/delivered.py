"""Reads what was delivered for some nights and says to which night each row belongs."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.rows import require_shape
from ml_pipeline.contracts.source import DELIVERED_FOR, FAULT, KNOWN_AT, SCORE_DATE, SourceContract
from ml_pipeline.io.connectors.connector import DeliveryHeldError
from ml_pipeline.nights import KnownWindow, Night, NightCalendar
from ml_pipeline.operations.holds import require_unheld_files
from ml_pipeline.operations.site import Site


class LandingBlockedError(RuntimeError):
    """A night of a source was not landed; nothing of this call was published."""


def read_delivered(site: Site, contract: SourceContract, nights: Sequence[Night]) -> pa.Table:
    """Rows from the first to the last of ``nights``: declared columns, ``score_date``, and ``_fault`` if there are any.

    A row belongs to the night whose window holds its ``known_at``. Where each file is the delivery of one night, it belongs
    to that night, and a row that became known in another one has a fault.

    Raises:
        LandingBlockedError: a row has no ``known_at``, or belongs to a night that was landed without it.
        LandingHeldError: the connector found a file that it would not read by itself.
    """
    first, last = min(nights), max(nights)
    # All of it, not these nights alone: a row that came too late for its night would otherwise vanish unseen.
    start = first if contract.is_nightly else site.calendar.first_night
    try:
        read = site.connector.read(contract, site.calendar.known_window(start, last))
    except DeliveryHeldError as held:
        require_unheld_files(site, contract.name, held.files)
        raise
    added = [name for name in (FAULT, DELIVERED_FOR) if name in read.schema.names]
    require_shape(read.drop(added).slice(0, 0), contract)
    if contract.is_nightly:
        return _of_own_files(require_shape(read.drop(added), contract), read, site.calendar)
    known_at = read.column(KNOWN_AT)
    if known_at.null_count:
        raise LandingBlockedError(
            f"source {contract.name}: {known_at.null_count} rows have no {KNOWN_AT}, so no night can own them; "
            "deliver the instant at which each row became known"
        )
    belongs = site.calendar.nights_known(known_at.cast(pa.int64()).to_numpy(), start, last)
    _require_no_stragglers(site, contract, belongs, nights)
    is_wanted = belongs >= np.datetime64(first)
    read, belongs = read.filter(pa.array(is_wanted)), belongs[is_wanted]
    rows = require_shape(read.drop(added), contract).append_column(SCORE_DATE, pa.array(belongs, pa.date32()))
    return rows.append_column(FAULT, read.column(FAULT)) if FAULT in added else rows


def _of_own_files(rows: pa.Table, read: pa.Table, calendar: NightCalendar) -> pa.Table:
    owners, known_at = read.column(DELIVERED_FOR), rows.column(KNOWN_AT)
    faults = read.column(FAULT)
    for night in owners.unique().to_pylist():
        is_within = _belongs(known_at, calendar.known_window(night, night))
        is_stray = pc.and_(pc.equal(owners, pa.scalar(night, pa.date32())), pc.invert(is_within))
        if pc.any(pc.fill_null(is_stray, False)).as_py():
            told = pc.binary_join_element_wise(
                f"{KNOWN_AT}: known in the night that its file is for, not on", _local_day(known_at, calendar), " "
            )
            faults = pc.if_else(pc.fill_null(is_stray, False), told, faults)
    return rows.append_column(SCORE_DATE, owners).append_column(FAULT, faults)


def _belongs(known_at: pa.ChunkedArray, window: KnownWindow) -> pa.ChunkedArray:
    is_within = pc.less_equal(known_at, pa.scalar(window.until, known_at.type))
    if window.after is not None:
        is_within = pc.and_(is_within, pc.greater(known_at, pa.scalar(window.after, known_at.type)))
    return is_within


def _local_day(instants: pa.ChunkedArray, calendar: NightCalendar) -> pa.ChunkedArray:
    days = pc.local_timestamp(instants.cast(pa.timestamp("us", tz=calendar.timezone))).cast(pa.string())
    return pc.replace_substring_regex(days, r" .*", "")


def _require_no_stragglers(site: Site, contract: SourceContract, belongs: np.ndarray, nights: Sequence[Night]) -> None:
    """Raise if a night that was landed, and is not landed now, is delivered with more rows than it was landed with."""
    days, counts = np.unique(belongs, return_counts=True)
    delivered = {day: int(count) for day, count in zip(days.tolist(), counts, strict=True) if day not in set(nights)}
    landed = site.tables.published(f"raw/{contract.name}", sorted(delivered)) if delivered else {}
    late = {
        night: delivered[night] - (entry.facts["read"] - entry.facts.get("released", 0))
        for night, entry in landed.items()
    }
    late = {night: count for night, count in late.items() if count > 0}
    if late:
        told = ", ".join(f"{night}: {count}" for night, count in sorted(late.items())[:10])
        raise LandingBlockedError(
            f"source {contract.name}: {sum(late.values())} rows became known in nights that were landed without them "
            f"({told}). Nothing landed is edited: deliver late rows with the {KNOWN_AT} of their arrival"
        )

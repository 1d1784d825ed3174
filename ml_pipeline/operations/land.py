"""Lands a source: reads what became known, checks it, publishes what keeps the contract, quarantines the rest."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.rows import texts_of
from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE, SourceContract
from ml_pipeline.contracts.tables import QUARANTINE_SCHEMA
from ml_pipeline.domain.landing import RowAccount, SortedRows, sort_rows, with_released
from ml_pipeline.io.table_store import NightInputs, PublishResult, stale_nights
from ml_pipeline.nights import Night
from ml_pipeline.operations.delivered import LandingBlockedError, read_delivered
from ml_pipeline.operations.holds import LandingHeldError, require_usual
from ml_pipeline.operations.releases import RELEASES, released_rows, releases_digest, releases_of, without_released
from ml_pipeline.operations.site import Site

__all__ = ["LandedNights", "LandingBlockedError", "LandingHeldError", "land", "stale_landings"]

# What is asked of a delivery before it lands changes no row of a landed night.
_NOT_OF_THE_ROWS = {"expected_by", "bounds", "limits", "settle_seconds"}


@dataclass(frozen=True)
class LandedNights:
    """What a landing did. ``accounts`` holds each requested night that was read anew."""

    source: str
    accounts: dict[Night, RowAccount]
    published: PublishResult | None
    unchanged: tuple[Night, ...]


def land(site: Site, source: str, nights: Sequence[Night], *, may_restate: bool = False) -> LandedNights:
    """Land ``nights`` of ``source``; nights that were landed from the same delivery and contract are left alone.

    Args:
        site: the installation.
        source: name of the source.
        nights: the nights to land.
        may_restate: let a landed night change. Off, because what a night knew must not be edited later: a row
            that came late belongs to the night of its arrival.

    Raises:
        LandingBlockedError: too many rows break the contract, the account does not balance, a landed night would
            change, or rows belong to nights that were landed without them. Names source, night, rule and remedy.
        LandingHeldError: a night is not like those before it and nobody has accepted it.
        DeliveryError: a delivery cannot be read.
    """
    contract = site.sql.sources[source]
    table = f"raw/{source}"
    before = site.tables.published(table, nights)
    stale = stale_landings(site, source, nights)
    unchanged = tuple(night for night in sorted(set(nights)) if night not in set(stale))
    if not stale:
        return LandedNights(source, {}, None, unchanged)
    delivered = sort_rows(_read(site, contract, stale), contract)
    _require_acceptable(contract, _accounts(delivered, stale), delivered)
    require_usual(site, contract, delivered, [night for night in stale if may_restate or night not in before])
    released = released_rows(site, contract, stale)
    sorted_rows = with_released(delivered, released, contract)
    accounts = _accounts(sorted_rows, stale)
    if not may_restate:
        _require_same_rows(site, contract, sorted_rows, released, [night for night in stale if night in before])
    hashes = _inputs_hashes(site, contract, stale)
    notes = {night: NightInputs(hashes[night], asdict(account)) for night, account in accounts.items()}
    # Quarantine first: if the process dies between the commits, a re-run finds the landed table still old.
    site.tables.publish(f"quarantine/{source}", _quarantine(sorted_rows), notes, key=["row", "rule", "column"])
    published = site.tables.publish(table, sorted_rows.landed, notes, key=[*contract.key, KNOWN_AT])
    return LandedNights(source, accounts, published, unchanged)


def stale_landings(site: Site, source: str, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never landed from the present delivery under the present contract."""
    site.calendar.require(nights)
    contract = site.sql.sources[source]
    inputs = {night: NightInputs(found, {}) for night, found in _inputs_hashes(site, contract, nights).items()}
    return stale_nights(inputs, site.tables.published(f"raw/{source}", nights))


def _inputs_hashes(site: Site, contract: SourceContract, nights: Sequence[Night]) -> dict[Night, str]:
    """What the landing of each night is made from: the delivery, the contract and the night's window."""
    calendar = site.calendar
    shared = json.dumps(
        [site.connector.fingerprint(contract), contract.model_dump(mode="json", exclude=_NOT_OF_THE_ROWS)],
        sort_keys=True,
    )
    releases = releases_of(site.ledger(RELEASES), contract.name)
    return {
        night: hashlib.sha256(
            f"{shared}{calendar.known_window(night, night)}{releases_digest(releases, night)}".encode()
        ).hexdigest()
        for night in set(nights)
    }


def _accounts(sorted_rows: SortedRows, nights: Sequence[Night]) -> dict[Night, RowAccount]:
    return {night: sorted_rows.accounts.get(str(night), RowAccount(0, 0, 0, 0)) for night in nights}


def _read(site: Site, contract: SourceContract, nights: Sequence[Night]) -> pa.Table:
    """Rows of ``nights`` in a total order, with the night that each belongs to."""
    rows = read_delivered(site, contract, nights)
    first, last = min(nights), max(nights)
    if len(nights) <= (last - first).days:
        rows = rows.filter(pc.is_in(rows.column(SCORE_DATE), value_set=pa.array(sorted(nights), pa.date32())))
    order = [SCORE_DATE, *contract.key, KNOWN_AT, *contract.column_names]
    return rows.sort_by([(name, "ascending") for name in dict.fromkeys(order)]).combine_chunks()


def _require_acceptable(
    contract: SourceContract, accounts: Mapping[Night, RowAccount], sorted_rows: SortedRows
) -> None:
    for night, account in accounts.items():
        if not account.is_balanced:
            raise LandingBlockedError(f"source {contract.name}, night {night}: rows do not add up, {account}")
        if account.quarantined_share > contract.max_quarantined_share:
            rules = _rules_broken(sorted_rows, night)
            raise LandingBlockedError(
                f"source {contract.name}, night {night}: {account.quarantined} of {account.read} rows break the contract "
                f"(allowed share {contract.max_quarantined_share:.2%}). Rules broken: {'; '.join(rules[:10])}. Nothing was "
                "landed; correct the delivery, or the contract in sources.yml"
            )


def _rules_broken(sorted_rows: SortedRows, night: Night) -> list[str]:
    nights = sorted_rows.rows.column(SCORE_DATE)
    found = Counter(
        f"{broken.column}: {broken.rule}" for broken in sorted_rows.broken if nights[broken.row].as_py() == night
    )
    return [f"{rule} ({count} rows)" for rule, count in found.most_common()]


def _require_same_rows(
    site: Site, contract: SourceContract, sorted_rows: SortedRows, released: pa.Table, nights: Sequence[Night]
) -> None:
    if not nights:
        return
    wanted = pa.array(nights, pa.date32())
    new = sorted_rows.landed.filter(pc.is_in(sorted_rows.landed.column(SCORE_DATE), value_set=wanted))
    old = site.tables.read(f"raw/{contract.name}", nights).select(new.schema.names)
    # A release is a person's decision, entered with its reason: it alone may add to a landed night.
    new, old = (without_released(rows, released, contract) for rows in (new, old))
    order = [(name, "ascending") for name in (SCORE_DATE, *contract.key, KNOWN_AT)]
    if not new.sort_by(order).equals(old.sort_by(order)):
        raise LandingBlockedError(
            f"source {contract.name}: nights {nights[0]} to {nights[-1]} were landed before and would now hold other "
            f"rows ({old.num_rows} before, {new.num_rows} now). Nothing landed is edited: deliver late or corrected rows "
            "with the known_at of their arrival, or land again with may_restate if the past itself was wrong"
        )


def _quarantine(sorted_rows: SortedRows) -> pa.Table:
    rows = sorted_rows.rows
    broken = sorted_rows.broken
    taken = rows.take(pa.array([rule.row for rule in broken], pa.int64()))
    # Rows are numbered within their night: the same number whether a night was landed alone or in a range.
    starts = np.searchsorted(rows.column(SCORE_DATE).to_numpy(), taken.column(SCORE_DATE).to_numpy(), side="left")
    columns = {
        SCORE_DATE: taken.column(SCORE_DATE).combine_chunks(),
        "row": [rule.row - int(start) for rule, start in zip(broken, starts, strict=True)],
        "rule": [rule.rule for rule in broken],
        "column": [rule.column for rule in broken],
        "value": [rule.value for rule in broken],
        "content": [json.dumps(row, default=str, sort_keys=True) for row in _plain_rows(taken.drop([SCORE_DATE]))],
    }
    return pa.table(columns, schema=QUARANTINE_SCHEMA)


def _plain_rows(rows: pa.Table) -> list[dict[str, Any]]:
    """``rows`` as Python values; where an instant lies beyond the years that Python knows, all instants as texts."""
    try:
        return list(rows.to_pylist())
    except (ValueError, OverflowError):
        texts = {
            name: texts_of(rows.column(name))
            if pa.types.is_temporal(rows.column(name).type)
            else rows.column(name).to_pylist()
            for name in rows.schema.names
        }
        return [dict(zip(texts, values, strict=True)) for values in zip(*texts.values(), strict=True)]

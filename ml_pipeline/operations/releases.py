"""Rows that a person has let out of quarantine: they land in the night of their release, as known at its cutoff.

What earlier nights knew stays as it was. A release is an entry of a ledger and names its rows by night, number and hash, so
landing that night again, or all of it from nothing, lands the same rows.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE, SourceContract
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.nights import Night, parse_night
from ml_pipeline.operations.site import Site

RELEASES = "releases"


@dataclass(frozen=True)
class Release:
    """Rows of the quarantine of ``quarantined_on`` that land in ``released_on``.

    ``rows`` gives the sha256 of each row's content by its number in that night.
    """

    source: str
    quarantined_on: Night
    released_on: Night
    rows: dict[int, str]
    reason: str

    def as_entry(self) -> dict[str, Any]:
        return {
            "source": self.source, "quarantined_on": str(self.quarantined_on), "released_on": str(self.released_on),
            "rows": {str(row): digest for row, digest in self.rows.items()}, "reason": self.reason,
        }  # fmt: skip


class ReleaseError(LookupError):
    """A released row is no longer what it was when it was released."""


def releases_of(ledger: Ledger, source: str) -> list[Release]:
    """Every release of rows of ``source``, in order."""
    return [
        Release(
            source, parse_night(entry["quarantined_on"]), parse_night(entry["released_on"]),
            {int(row): digest for row, digest in entry["rows"].items()}, entry["reason"],
        )
        for entry in ledger.entries()
        if entry["source"] == source
    ]  # fmt: skip


def released_rows(site: Site, contract: SourceContract, nights: Sequence[Night]) -> pa.Table:
    """The rows that were released into ``nights``, with ``score_date``; ``known_at`` is the cutoff of that night.

    Raises:
        ReleaseError: the quarantine no longer holds a row as it was released.
    """
    found = []
    for release in releases_of(site.ledger(RELEASES), contract.name):
        if release.released_on in set(nights):
            contents = quarantined_contents(site, contract.name, release.quarantined_on)
            for row, digest in release.rows.items():
                if row not in contents or content_digest(contents[row]) != digest:
                    raise ReleaseError(
                        f"source {contract.name}: row {row} of the quarantine of {release.quarantined_on} was released into "
                        f"{release.released_on} and is no longer there as it was; restore quarantine/{contract.name}"
                    )
                known_at = site.calendar.cutoff(release.released_on)
                found.append(typed_row(contents[row], contract) | {KNOWN_AT: known_at, SCORE_DATE: release.released_on})
    schema = contract.arrow_schema().append(pa.field(SCORE_DATE, pa.date32()))
    return pa.Table.from_pylist(found, schema=schema)


def releases_digest(releases: Iterable[Release], night: Night) -> str:
    """A text that changes with what is released into ``night``; empty if nothing is."""
    entries = [release.as_entry() for release in releases if release.released_on == night]
    return json.dumps(entries, sort_keys=True) if entries else ""


def quarantined_contents(site: Site, source: str, night: Night) -> dict[int, str]:
    """The JSON of each quarantined row of ``night``, by its number."""
    table = f"quarantine/{source}"
    if night not in site.tables.published(table, [night]):
        return {}
    rows = site.tables.read(table, [night], ["row", "content"])
    return dict(zip(rows.column("row").to_pylist(), rows.column("content").to_pylist(), strict=True))


def content_digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def typed_row(content: str, contract: SourceContract) -> dict[str, Any]:
    """The row again that ``content`` was written from."""
    readers = {"date": date.fromisoformat, "timestamp": datetime.fromisoformat}
    values = json.loads(content)
    return {
        column.name: readers[column.type](values[column.name])
        if column.type in readers and values[column.name] is not None
        else values[column.name]
        for column in contract.columns
    }


def without_released(rows: pa.Table, released: pa.Table, contract: SourceContract) -> pa.Table:
    """``rows`` without those of ``released``."""
    if not released.num_rows:
        return rows
    identity = [SCORE_DATE, *contract.key, KNOWN_AT]
    marked = released.select(identity).append_column("_released", pa.array([True] * released.num_rows))
    joined = rows.select(identity).append_column("_place", pa.array(range(rows.num_rows))).join(marked, identity)
    stays = joined.filter(pc.is_null(joined.column("_released"))).column("_place").combine_chunks()
    return rows.take(pc.sort_indices(stays) if not len(stays) else stays.take(pc.sort_indices(stays)))

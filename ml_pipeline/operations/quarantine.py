"""Lists what is in quarantine, shows it without personal values, and releases rows of it into a later night."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ml_pipeline.contracts.row_rules import KEY_IS_EMPTY, KEY_IS_UNSEEN, LOOKS_LIKE_NANOSECONDS, LOOKS_LIKE_SECONDS
from ml_pipeline.contracts.rows import PERSONAL
from ml_pipeline.contracts.source import SCORE_DATE, SourceContract
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.build import stale_features
from ml_pipeline.operations.land import land
from ml_pipeline.operations.releases import RELEASES, Release, content_digest, releases_of, typed_row
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.stale_scores import stale_scores

# No person's word makes a row with such a cell one that features could be made from.
_NEVER_RELEASED = {
    "not_nullable", "finite", KEY_IS_EMPTY, KEY_IS_UNSEEN, LOOKS_LIKE_SECONDS, LOOKS_LIKE_NANOSECONDS,
}  # fmt: skip
_ON_CLOCKS = ("on a clock of", "shown by the clock", "shown once by")


@dataclass(frozen=True)
class QuarantinedRow:
    """A row by source, night and number: the rules that it broke, and its values, personal ones left out.

    ``released_into`` is the night that it was released into, None if it is still in quarantine.
    """

    source: str
    night: Night
    row: int
    rules: tuple[str, ...]
    values: dict[str, Any]
    digest: str
    released_into: Night | None


@dataclass(frozen=True)
class Released:
    """A release and what follows from it: nights whose features and scores are made from other rows than they were."""

    release: Release
    is_landed: bool
    stale_features: tuple[Night, ...]
    stale_scores: tuple[Night, ...]


class CannotReleaseError(ValueError):
    """Rows that cannot be released as asked; says why and what can be done."""


def quarantined(site: Site, source: str, night: Night | None = None) -> list[QuarantinedRow]:
    """The quarantined rows of ``source``, of one night or of all, in order."""
    contract = _contract(site, source)
    table = f"quarantine/{source}"
    published = site.tables.published(table, least_rows=1)
    nights = sorted(published) if night is None else [night for night in [night] if night in published]
    if not nights:
        return []
    rules: dict[tuple[Night, int], list[str]] = {}
    contents: dict[tuple[Night, int], str] = {}
    for entry in site.tables.read(table, nights).to_pylist():
        place = (entry[SCORE_DATE], entry["row"])
        rules.setdefault(place, []).append(f"{entry['column']}: {entry['rule']}")
        contents[place] = entry["content"]
    released = _released(site, source)
    return [
        QuarantinedRow(
            source, place[0], place[1], tuple(sorted(rules[place])), _shown(contents[place], contract),
            content_digest(contents[place]), released.get(place),
        )
        for place in sorted(rules)
    ]  # fmt: skip


def release(
    site: Site, source: str, night: Night, rows: Sequence[int], *, reason: str, into: Night | None = None, restate: bool = False
) -> Released:  # fmt: skip
    """Release ``rows`` of the quarantine of ``night`` into a later night, where they land as known at its cutoff.

    Args:
        site: the installation.
        source: name of the source.
        night: the night that quarantined them.
        rows: their numbers in it.
        reason: why they are right after all; it is recorded.
        into: the night that lands them; by default the first one that is not landed yet.
        restate: let ``into`` be a night that is landed already. It and later nights then know the rows, so features and
            scores of them are stale.

    Raises:
        CannotReleaseError: a row is not there, was released before, cannot be landed, or a newer version of it has landed.
        LookupError: there is no such source.
    """
    contract = _contract(site, source)
    landed = site.tables.published(f"raw/{source}")
    if not landed:
        raise CannotReleaseError(f"source {source} has landed nothing")
    target = into or nights_back(max(landed), -1)
    site.calendar.require([target])
    found = {row.row: row for row in quarantined(site, source, night)}
    chosen = sorted(set(rows))
    _require_releasable(contract, night, chosen, found, reason)
    _require_night(target, night, is_landed=target in landed, restate=restate)
    _require_newest(site, contract, night, chosen, max(landed))
    entry = Release(source, night, target, {row: found[row].digest for row in chosen}, reason.strip())
    ledger = site.ledger(RELEASES)
    ledger.append(entry.as_entry(), after=len(ledger.paths()))
    if target in landed:
        land(site, source, [target])
    return Released(entry, target in landed, *_stale(site, target))


def _require_releasable(
    contract: SourceContract, night: Night, rows: Sequence[int], found: dict[int, QuarantinedRow], reason: str
) -> None:
    if not reason.strip():
        raise CannotReleaseError("a release needs a reason; say why the rows are right after all")
    if not rows:
        raise CannotReleaseError("name the rows; ml-pipeline quarantine show gives their numbers")
    if missing := [row for row in rows if row not in found]:
        raise CannotReleaseError(f"source {contract.name}, night {night}: no row {missing} is in quarantine")
    for row in rows:
        if found[row].released_into is not None:
            raise CannotReleaseError(f"row {row} of {night} was released before, into {found[row].released_into}")
        never = [rule for rule in found[row].rules if _is_final(rule.partition(": ")[2])]
        if never:
            raise CannotReleaseError(
                f"row {row} of {night} cannot be released ({never[0]}); deliver it again, corrected"
            )


def _is_final(rule: str) -> bool:
    return rule in _NEVER_RELEASED or rule.startswith(_ON_CLOCKS)


def _require_night(target: Night, night: Night, *, is_landed: bool, restate: bool) -> None:
    if target < night:
        raise CannotReleaseError(f"rows of {night} were not known on {target}; release them into a later night")
    if is_landed and not restate:
        raise CannotReleaseError(
            f"{target} is landed already, and nothing landed is edited; release into a night that is not, or ask for the "
            "restatement of that night by --restate"
        )


def _require_newest(site: Site, contract: SourceContract, night: Night, rows: Sequence[int], last: Night) -> None:
    """Raise if another version of a row has landed since: the released one would pass for the newest."""
    contents = _contents(site, contract.name, night)
    keys = [tuple(typed_row(contents[row], contract)[name] for name in contract.key) for row in rows]
    if len(set(keys)) < len(keys):
        raise CannotReleaseError("two of the rows have one key and contradict each other; release one of them")
    past = [each for each in nights_between(night, last) if each in site.tables.published(f"raw/{contract.name}")]
    landed = site.tables.read(f"raw/{contract.name}", past, list(contract.key)) if past else pa.table({SCORE_DATE: []})
    known = set(zip(*(landed.column(name).to_pylist() for name in contract.key), strict=True)) if past else set()
    taken = {
        tuple(
            typed_row(_contents(site, contract.name, each.quarantined_on)[row], contract)[name] for name in contract.key
        )
        for each in releases_of(site.ledger(RELEASES), contract.name)
        for row in each.rows
    }
    for row, key in zip(rows, keys, strict=True):
        if key in known | taken:
            raise CannotReleaseError(
                f"row {row} of {night}: a row of the same key has landed on that night or since, or is released; the "
                "released one would pass for a correction of it. Deliver the right version instead"
            )


def _stale(site: Site, target: Night) -> tuple[tuple[Night, ...], tuple[Night, ...]]:
    """Nights from ``target`` on whose features were built, or scores published, from other rows than there are now."""
    built = [night for night in sorted(site.tables.published(features_table(site.sql))) if night >= target]
    scored = [night for night in sorted(site.tables.published("scores")) if night >= target]
    return (
        tuple(stale_features(site, built)) if built else (),
        tuple(stale_scores(site, scored)) if scored else (),
    )


def _released(site: Site, source: str) -> dict[tuple[Night, int], Night]:
    return {
        (each.quarantined_on, row): each.released_on
        for each in releases_of(site.ledger(RELEASES), source)
        for row in each.rows
    }


def _contents(site: Site, source: str, night: Night) -> dict[int, str]:
    rows = site.tables.read(f"quarantine/{source}", [night], ["row", "content"])
    return dict(zip(rows.column("row").to_pylist(), rows.column("content").to_pylist(), strict=True))


def _shown(content: str, contract: SourceContract) -> dict[str, Any]:
    return {
        name: PERSONAL if name in contract.personal_columns and value is not None else value
        for name, value in json.loads(content).items()
    }


def _contract(site: Site, source: str) -> SourceContract:
    if source not in site.sql.sources:
        raise LookupError(f"there is no source {source!r}; sources.yml describes {sorted(site.sql.sources)}")
    return site.sql.sources[source]

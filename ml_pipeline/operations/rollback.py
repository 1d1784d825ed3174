"""Takes the champion back: the version that served before serves again, by one entry in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.nights import Night
from ml_pipeline.operations.promote import PROMOTION_LOCK, PROMOTIONS, Entry, newest_champion, next_night
from ml_pipeline.operations.site import Site

_SCORES = "scores"


@dataclass(frozen=True)
class Rollback:
    """A rollback that was recorded.

    Attributes:
        champion: the version that serves again.
        withdrawn: the versions that no longer serve, the last one first.
        effective_from: the first night that ``champion`` scores.
        scored: the published nights of each withdrawn version. They stand as they are; who scores them anew decides it.
    """

    champion: str
    withdrawn: tuple[str, ...]
    effective_from: Night
    scored: Mapping[str, tuple[Night, ...]]


@dataclass(frozen=True)
class FailedProbation:
    """Why a rollback is made without a person: on ``night``, by ``numbers``, for ``champion`` alone."""

    champion: str
    night: Night
    numbers: Mapping[str, Any]


class OvertakenChampionError(ValueError):
    """Who was to be withdrawn is champion no more."""


def roll_back(site: Site, *, reason: str, to: str | None = None, failed: FailedProbation | None = None) -> Rollback:
    """Withdraw the champion, and with ``to`` all that became champion after version ``to``.

    With a version its refits are withdrawn; a refit goes alone, and its recipe serves again.
    Nothing is computed: the ledger names the champion of the nights from the first one on that has not been published.
    The gate promotes a withdrawn version no more; a person may. MLflow's alias follows by ``promote.follow_ledger``, which
    is left to the caller: it takes seconds, and a registry that is down must not keep a bad model in service.

    With ``failed`` nobody asked for it but a probation, which is recorded with it: only that champion is withdrawn.

    Raises:
        BundleError: the version that would serve is missing or damaged.
        OvertakenChampionError: the champion that failed is champion no more.
        LedgerConflictError: the ledger has a gap, or was written to past the lock.
        ValueError: the reason is empty, or there is no such version to go back to. Nothing is changed in any of these.
    """
    if not reason.strip():
        raise ValueError("a rollback needs a reason: say what is wrong with the champion")
    with exclusive_lock(site.lock_file(PROMOTION_LOCK)):
        entries = site.ledger(PROMOTIONS).entries()
        if failed is not None and newest_champion(site, entries) != failed.champion:
            raise OvertakenChampionError(f"{failed.champion} is champion no more")
        planned = _planned(site, entries, to)
        read_bundle(site.models, planned.champion)
        entry: Entry = {
            "kind": "rollback", "challenger": planned.champion, "champion_before": planned.withdrawn[0],
            "withdrawn": list(planned.withdrawn), "judged_on": str(failed.night) if failed else None,
            "effective_from": str(planned.effective_from),
            "is_promoted": True, "reasons": [f"rollback: {reason.strip()}"],
            "numbers": {"nights_scored": {name: list(map(str, nights)) for name, nights in planned.scored.items()},
                        **(failed.numbers if failed else {})},
        }  # fmt: skip
        site.ledger(PROMOTIONS).append(entry, after=len(entries))
    return planned


def nights_scored_by(site: Site, version: str) -> tuple[Night, ...]:
    """The published nights whose scores, as they stand now, are of bundle ``version``."""
    if not site.tables.exists(_SCORES):
        return ()
    rows = site.tables.read(_SCORES, sorted(site.tables.published(_SCORES)), ["model_version"])
    return tuple(sorted(pc.unique(rows.filter(pc.equal(rows["model_version"], version))[SCORE_DATE]).to_pylist()))


def _planned(site: Site, entries: Sequence[Entry], to: str | None) -> Rollback:
    champion = newest_champion(site, entries)
    if champion is None:
        raise ValueError("there is no champion to withdraw")
    if champion == to:
        raise ValueError(f"{to} is the champion already")
    begins = [Night.fromisoformat(entry["effective_from"]) for entry in entries if entry["is_promoted"]]
    first = next_night(site, min(begins))
    withdrawn = _with_refits(entries, champion)
    before = _champion_without(site, entries, withdrawn, first)
    while before is not None and before != (to or before):
        withdrawn += _with_refits(entries, before)
        before = _champion_without(site, entries, withdrawn, first)
    if before is None:
        raise ValueError(
            f"there is no {to or 'champion'} before {champion} to go back to; promote by hand instead: ml-pipeline promote"
        )
    scored = {version: nights_scored_by(site, version) for version in withdrawn}
    return Rollback(before, tuple(withdrawn), first, scored)


def _with_refits(entries: Sequence[Entry], version: str) -> list[str]:
    """``version`` and what was promoted as a refit of it: a refit has nothing to stand on but its recipe."""
    refits = [entry["challenger"] for entry in entries if entry.get("refit_of") == version]
    return [version, *dict.fromkeys(refits)]


def _champion_without(site: Site, entries: Sequence[Entry], withdrawn: Sequence[str], first: Night) -> str | None:
    tried = {"is_promoted": True, "effective_from": str(first), "withdrawn": list(withdrawn)}
    return newest_champion(site, [*entries, tried])

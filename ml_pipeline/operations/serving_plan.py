"""Resolves a policy into versions, once for all nights of a call, or of a whole backfill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_pipeline.contracts.serving import AS_OF_POLICY, ServingPolicy
from ml_pipeline.domain.serving import Wanted, previous_champion
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.nights import Night
from ml_pipeline.operations.promote import PROMOTIONS, NoChampionError, current_champion, require_champion
from ml_pipeline.operations.site import Site

PINS = "backfill_pins"


@dataclass(frozen=True)
class ServingPlan:
    """The policy of a call, and the nights of each model that it wants."""

    policy: ServingPolicy
    nights_by_wanted: Mapping[Wanted, tuple[Night, ...]]


@dataclass(frozen=True)
class _Pin:
    """What a policy is resolved by: so many entries of the ledger of promotions and, unless ``as_of``, a version."""

    promotions: int
    version: str | None


def plan_serving(
    site: Site, nights: Sequence[Night], policy: ServingPolicy = AS_OF_POLICY, *, backfill: str | None = None
) -> ServingPlan:
    """Who is to score each of ``nights``, by one reading of the ledger of promotions.

    With ``backfill`` (any name: Dagster's id) that reading is noted in the ledger ``backfill_pins``, and every later call
    of that name and policy uses it, in whichever process: a promotion in the middle of a backfill of many runs changes
    none of its nights, under ``current`` and under ``as_of`` alike.

    Raises:
        NoChampionError: a night lies before the first promotion, or ``current`` finds no champion.
    """
    entries, pin = _pinned(site, policy, backfill)
    grouped: dict[Wanted, list[Night]] = {}
    for night in sorted(set(nights)):
        version = pin.version or require_champion(entries, night)
        grouped.setdefault(Wanted(version, previous_champion(entries, policy, version, night)), []).append(night)
    return ServingPlan(policy, {wanted: tuple(its_nights) for wanted, its_nights in grouped.items()})


def _pinned(site: Site, policy: ServingPolicy, backfill: str | None) -> tuple[list[dict[str, Any]], _Pin]:
    if backfill is None:
        return _resolved(site, policy)
    with exclusive_lock(site.lock_file(PINS)):
        for noted in site.ledger(PINS).entries():
            if (noted["backfill"], noted["policy"]) == (backfill, str(policy)):
                entries = site.ledger(PROMOTIONS).entries()[: noted["promotions"]]
                return entries, _Pin(noted["promotions"], noted["version"])
        entries, pin = _resolved(site, policy)
        noted = {"backfill": backfill, "policy": str(policy), "promotions": pin.promotions, "version": pin.version}
        site.ledger(PINS).append(noted)
    return entries, pin


def _resolved(site: Site, policy: ServingPolicy) -> tuple[list[dict[str, Any]], _Pin]:
    # Under the lock of the promotions: entries and champion must be of one moment.
    with exclusive_lock(site.lock_file("promotion")):
        entries = site.ledger(PROMOTIONS).entries()
        version = current_champion(site) if policy.kind == "current" else policy.version
    if policy.kind == "current" and version is None:
        raise NoChampionError("no model is champion; materialise trained_model and promotion first")
    return entries, _Pin(len(entries), version)

"""Who scores a night in the shadow, and what was decided of them: pure functions of the ledger of promotions.

A night's answer rests on what took effect by then alone, so a backfilled night is given what it would have had.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ml_pipeline.contracts.serving import ServingContract, ShadowRole
from ml_pipeline.domain.look_schedule import LOOKS, next_look
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.promote import champion_on

Entry = dict[str, Any]


@dataclass(frozen=True)
class Lane:
    """A model that scores in the shadow, beside the champion of the same nights.

    Attributes:
        role: ``challenger``: the gate refused it last; ``predecessor``: it served before a champion that is on probation.
        version: the model.
        champion: who serves; None if nobody does.
        since: the first night of the lane.
        last: the last one, as far as that is known.
        is_by_hand: whether a person made the champion what it is.
    """

    role: ShadowRole
    version: str
    champion: str | None
    since: Night
    last: Night
    is_by_hand: bool = False


def lanes_on(entries: Sequence[Entry], night: Night, serving: ServingContract) -> tuple[Lane, ...]:
    """Who scores ``night`` in the shadow, each version once; the predecessor first."""
    return tuple(lane for lane in open_lanes(entries, night, serving) if night <= lane.last)


def open_lanes(entries: Sequence[Entry], night: Night, serving: ServingContract) -> tuple[Lane, ...]:
    """The lanes on which, as of ``night``, something is still to be decided: also after their last night."""
    champion = champion_on(entries, night)
    withdrawn = {
        version for entry in entries if entry["effective_from"] <= str(night) for version in entry.get("withdrawn") or ()
    }  # fmt: skip
    found: dict[str, Lane] = {}
    for lane in (_predecessor(entries, night, serving), _challenger(entries, night, champion)):
        if lane is None or lane.version in {*withdrawn, champion, *found}:
            continue
        effective = [each for each in decisions_on(entries, lane) if each["effective_from"] <= str(night)]
        if not any(map(is_final, effective)):
            found[lane.version] = lane
    return tuple(found.values())


def decisions_on(entries: Sequence[Entry], lane: Lane) -> list[Entry]:
    """Every look that was taken at ``lane``, in order."""
    return [entry for entry in entries if _is_about(entry, lane)]


def is_final(decision: Entry) -> bool:
    """Whether nothing is left to be decided after ``decision``."""
    if decision["kind"] == "second_look":
        return bool(decision["is_promoted"]) or decision["numbers"]["look"] >= LOOKS
    return bool(decision["kind"] == "rollback" or decision["verdict"] != "wait")


def earliest_look(entries: Sequence[Entry], night: Night, serving: ServingContract, *, horizon_nights: int) -> Night:
    """The first night after ``night`` on which a look could be taken, as long as no model is made or judged until then.

    A look needs matured nights, of which each coming night brings one at most.
    """
    tomorrow = nights_back(night, -1)
    bounds = [_earliest(entries, lane, serving, horizon_nights) for lane in open_lanes(entries, tomorrow, serving)]
    return max(tomorrow, min(bounds, default=Night.max))


def _earliest(entries: Sequence[Entry], lane: Lane, serving: ServingContract, horizon_nights: int) -> Night:
    taken = len(decisions_on(entries, lane))
    look = next_look(taken, shadow_nights=serving.shadow_nights)
    if lane.role == "challenger":
        nights = look.least_nights if look else 0
    else:
        nights = serving.probation_nights if taken else min(serving.shadow_nights, serving.probation_nights)
    return nights_back(lane.since, 1 - nights - horizon_nights)


def _is_about(entry: Entry, lane: Lane) -> bool:
    kind = entry.get("kind")
    if lane.role == "challenger":
        return kind == "second_look" and entry["challenger"] == lane.version
    # The same version may be on probation once more, after it was promoted anew: then it began later.
    if not entry.get("judged_on") or entry["judged_on"] < str(lane.since):
        return False
    has_kept = kind == "probation" and entry["challenger"] == lane.champion
    return has_kept or (kind == "rollback" and lane.champion in entry["withdrawn"])


def _challenger(entries: Sequence[Entry], night: Night, champion: str | None) -> Lane | None:
    """The model that the gate judged last, if it was refused. It was trained by then, and knows no outcome of ``night``."""
    verdicts = [
        entry for entry in entries
        if entry.get("judged_on") and entry.get("kind", "verdict") in {"verdict", "no_comparison"}
        and entry["effective_from"] <= str(night)
    ]  # fmt: skip
    if not verdicts or verdicts[-1]["is_promoted"]:
        return None
    version = str(verdicts[-1]["challenger"])
    since = min(entry["effective_from"] for entry in verdicts if entry["challenger"] == version)
    return Lane("challenger", version, champion, Night.fromisoformat(since), Night.max)


def _predecessor(entries: Sequence[Entry], night: Night, serving: ServingContract) -> Lane | None:
    """Who served before the champion of ``night``. Who serves by a rollback was on probation before, and is not again."""
    promoted = list(_serving(entries, night))
    if not promoted or promoted[-1].get("withdrawn"):
        return None
    newest = promoted[-1]
    recipe = newest.get("refit_of") if newest.get("kind") == "refit" else None
    judged = next((entry for entry in reversed(promoted) if entry["challenger"] == recipe), newest)
    before = judged.get("champion_before")
    if before is None:
        return None
    since = Night.fromisoformat(newest["effective_from"])
    last = nights_back(since, 1 - serving.probation_nights)
    is_by_hand = newest.get("kind", "verdict" if newest.get("judged_on") else "override") == "override"
    return Lane("predecessor", str(before), str(newest["challenger"]), since, last, is_by_hand)


def _serving(entries: Sequence[Entry], night: Night) -> Iterator[Entry]:
    """Promotions and rollbacks that hold on ``night``, the newest last."""
    for entry in entries:
        if entry["is_promoted"] and entry["effective_from"] <= str(night) <= (entry.get("until") or str(Night.max)):
            yield entry


def stands(entries: Sequence[Entry], lane: Lane, night: Night, serving: ServingContract) -> bool:
    """Whether ``lane`` is still open on ``night``, beside the same champion: what was overtaken since decides nothing."""
    return lane in open_lanes(entries, night, serving)

"""Lets the gate judge a challenger, records the verdict, and answers who was champion when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ml_pipeline.domain.gate import Verdict, judge
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.contest import set_up_comparison
from ml_pipeline.operations.site import Site

PROMOTIONS = "promotions"


class NoChampionError(LookupError):
    """No model was champion on a night that has to be scored."""


@dataclass(frozen=True)
class Promotion:
    """What the gate said of ``challenger`` on a night; ``is_new`` is False if it had been said before."""

    challenger: str
    champion_before: str | None
    verdict: Verdict
    is_new: bool


def champion_on(entries: Sequence[dict[str, Any]], night: Night) -> str | None:
    """The version that was champion for ``night``: the last promotion that took effect by then.

    One by hand counts until its last night; after it, whoever was champion otherwise is champion again.
    """
    effective = [
        entry for entry in entries
        if entry["is_promoted"] and entry["effective_from"] <= str(night) <= (entry.get("until") or str(Night.max))
    ]  # fmt: skip
    return str(effective[-1]["challenger"]) if effective else None


def promote_if_better(site: Site, version: str, night: Night) -> Promotion:
    """Judge bundle ``version`` as of ``night`` and make it champion if the gate says so.

    It serves from ``night`` on, or from the first night after those that have been scored already.

    Reading the champion, judging and recording happen under one lock: without it three trainers that promote at
    once leave a worse champion in most rounds. The ledger is the truth; MLflow's aliases follow it.
    """
    with exclusive_lock(site.lock_file("promotion")):
        entries = site.ledger(PROMOTIONS).entries()
        outcome = judged_before(site, version, night)
        if outcome is None:
            outcome = _judge(site, version, night, _newest_champion(site, entries))
            entry = {
                "challenger": version, "champion_before": outcome.champion_before, "judged_on": str(night),
                "effective_from": str(_effective_from(site, night)), "is_promoted": outcome.verdict.is_promoted,
                "reasons": list(outcome.verdict.reasons), "numbers": outcome.verdict.numbers,
            }  # fmt: skip
            site.ledger(PROMOTIONS).append(entry, after=len(entries))
        site.registry.set_alias("challenger", version)
        _follow_ledger(site)
    return outcome


def promote_by_hand(site: Site, version: str, *, reason: str, until: Night) -> Promotion:
    """Make bundle ``version`` champion without asking the gate, up to and including night ``until``; recorded as such.

    It serves from the first night that has not been scored, and not before the night that it was trained on. A later
    promotion by the gate ends it earlier.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
        ValueError: the reason is empty, ``until`` is over already, or it is the champion of these nights.
    """
    if not reason.strip():
        raise ValueError("a promotion by hand needs a reason: say why the gate is overruled")
    bundle = read_bundle(site.models, version)
    with exclusive_lock(site.lock_file("promotion")):
        entries = site.ledger(PROMOTIONS).entries()
        first = _effective_from(site, Night.fromisoformat(bundle.manifest["trained_on"]))
        before = champion_on(entries, first)
        if until < first:
            raise ValueError(f"{version} could serve from night {first} on, but until is {until}; give a later night")
        if version == before:
            raise ValueError(f"{version} is the champion of night {first} already")
        verdict = Verdict(True, (f"by hand, until night {until}: {reason.strip()}",))
        entry: dict[str, Any] = {
            "challenger": version, "champion_before": before, "judged_on": None, "effective_from": str(first),
            "until": str(until), "is_promoted": True, "reasons": list(verdict.reasons), "numbers": {},
        }  # fmt: skip
        site.ledger(PROMOTIONS).append(entry, after=len(entries))
        _follow_ledger(site)
    return Promotion(version, before, verdict, True)


def judged_before(site: Site, version: str, night: Night) -> Promotion | None:
    """What the gate said of bundle ``version`` on ``night``, None if it was not asked."""
    for entry in reversed(site.ledger(PROMOTIONS).entries()):
        if entry["challenger"] == version and entry["judged_on"] == str(night):
            verdict = Verdict(entry["is_promoted"], tuple(entry["reasons"]), entry.get("numbers", {}))
            return Promotion(version, entry["champion_before"], verdict, False)
    return None


def _effective_from(site: Site, night: Night) -> Night:
    """Nights that have been published keep their champion: a model that comes after them serves from the next one on."""
    published = site.tables.published("scores")
    return max(night, nights_back(max(published), -1)) if published else night


def current_champion(site: Site) -> str | None:
    """The version that will serve the next night that has not been scored."""
    return _newest_champion(site, site.ledger(PROMOTIONS).entries())


def _newest_champion(site: Site, entries: Sequence[dict[str, Any]]) -> str | None:
    """The champion of the next night to score, or of the first night of a promotion that begins after that."""
    begins = [Night.fromisoformat(entry["effective_from"]) for entry in entries if entry["is_promoted"]]
    return champion_on(entries, _effective_from(site, max(begins))) if begins else None


def champions_of(site: Site, nights: Sequence[Night]) -> dict[str, list[Night]]:
    """``nights`` by the version that was champion on each.

    Raises:
        NoChampionError: a night lies before the first promotion.
    """
    entries = site.ledger(PROMOTIONS).entries()
    grouped: dict[str, list[Night]] = {}
    for night in sorted(set(nights)):
        version = champion_on(entries, night)
        if version is None:
            raise NoChampionError(
                f"no model was champion on night {night}; materialise trained_model and promotion for that night or an "
                "earlier one first"
            )
        grouped.setdefault(version, []).append(night)
    return grouped


def _follow_ledger(site: Site) -> None:
    champion = current_champion(site)
    if champion is not None:
        site.registry.set_alias("champion", champion)


def _judge(site: Site, version: str, night: Night, champion: str | None) -> Promotion:
    if version == champion:
        return Promotion(version, champion, Verdict(False, ("it is the champion already",)), True)
    compared = set_up_comparison(site, version, champion, night)
    verdict = judge(
        compared.challenger, compared.baseline, compared.champion,
        simple=compared.simple, terms=site.project.promotion, traits=compared.traits, seed=site.project.training.seed,
    )  # fmt: skip
    return Promotion(version, champion, verdict, True)

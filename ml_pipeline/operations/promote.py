"""Lets the gate judge a challenger, records the verdict, and answers who was champion when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ml_pipeline.domain.gate import Verdict, judge
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.contest import DamagedChampionError, set_up_comparison
from ml_pipeline.operations.site import Site

PROMOTIONS = "promotions"
PROMOTION_LOCK = "promotion"

Entry = dict[str, Any]
# What an entry of the ledger records; entries from before there were kinds are verdicts and overrides.
Kind = Literal["verdict", "no_comparison", "override", "rollback", "refit", "second_look", "probation"]


class NoChampionError(LookupError):
    """No model was champion on a night that has to be scored."""


@dataclass(frozen=True)
class Promotion:
    """What the gate said of ``challenger`` on a night; ``is_new`` is False if it had been said before.

    A verdict is final. Of kind ``no_comparison`` it is a "no" for now: the champion could not be compared with.
    """

    challenger: str
    champion_before: str | None
    verdict: Verdict
    is_new: bool
    kind: Kind = "verdict"


def champion_on(entries: Sequence[Entry], night: Night) -> str | None:
    """The version that was champion for ``night``: the last promotion that took effect by then.

    One by hand counts until its last night; after it, whoever was champion otherwise is champion again. From the first
    night of a rollback on it is as if the versions that it withdraws had not been promoted before it.
    """
    serving: list[str] = []
    for entry in entries:
        last = entry.get("until") or str(Night.max)
        if not entry["is_promoted"] or not entry["effective_from"] <= str(night) <= last:
            continue
        if withdrawn := entry.get("withdrawn"):
            serving = [version for version in serving if version not in withdrawn]
        else:
            serving.append(str(entry["challenger"]))
    return serving[-1] if serving else None


def promote_if_better(site: Site, version: str, night: Night) -> Promotion:
    """Judge bundle ``version`` as of ``night`` and make it champion if the gate says so.

    It serves from ``night`` on, or from the first night after those that have been scored already.

    Reading the champion, judging and recording happen under one lock: without it three trainers that promote at
    once leave a worse champion in most rounds. The ledger is the truth; MLflow's aliases follow it.
    """
    with exclusive_lock(site.lock_file(PROMOTION_LOCK)):
        entries = site.ledger(PROMOTIONS).entries()
        outcome = judged_before(site, version, night)
        if outcome is None:
            outcome = _judge(site, version, night, entries)
            entry = entry_of(outcome, night, effective_from=next_night(site, night))
            if not _says_the_same(entries, entry):
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
        LookupError: MLflow has no such version. ValueError: the reason is empty, ``until`` is over already, or it is the
            champion of these nights.
    """
    if not reason.strip():
        raise ValueError("a promotion by hand needs a reason: say why the gate is overruled")
    bundle = read_bundle(site.models, version)
    # Asked first: an entry whose alias can never follow would stand in the ledger for good.
    site.registry.require_version(version)
    with exclusive_lock(site.lock_file(PROMOTION_LOCK)):
        entries = site.ledger(PROMOTIONS).entries()
        first = next_night(site, Night.fromisoformat(bundle.manifest["trained_on"]))
        before = champion_on(entries, first)
        if until < first:
            raise ValueError(f"{version} could serve from night {first} on, but until is {until}; give a later night")
        if version == before:
            raise ValueError(f"{version} is the champion of night {first} already")
        verdict = Verdict(True, (f"by hand, until night {until}: {reason.strip()}",))
        outcome = Promotion(version, before, verdict, True, "override")
        entry = entry_of(outcome, None, effective_from=first) | {"until": str(until)}
        if bundle.refit_of is not None:
            entry["refit_of"] = bundle.refit_of
        site.ledger(PROMOTIONS).append(entry, after=len(entries))
        _follow_ledger(site)
    return outcome


def judged_before(site: Site, version: str, night: Night) -> Promotion | None:
    """What the gate said of bundle ``version`` on ``night``, None if it was not asked or had nothing to compare with.

    A version that was withdrawn since is not promoted, whatever was said of it.
    """
    entries = site.ledger(PROMOTIONS).entries()
    for entry in reversed(entries):
        is_final = entry.get("kind", "verdict") in {"verdict", "second_look"}
        if is_final and entry["challenger"] == version and entry["judged_on"] == str(night):
            withdrawn = withdrawal_of(entries, version)
            verdict = Verdict(
                entry["is_promoted"] and withdrawn is None,
                (*entry["reasons"], *([] if withdrawn is None else [withdrawn])), entry.get("numbers", {}),
            )  # fmt: skip
            return Promotion(version, entry["champion_before"], verdict, False)
    return None


def withdrawal_of(entries: Sequence[Entry], version: str) -> str | None:
    """How ``version`` was withdrawn, in words; None if it never was, or was promoted by hand after it."""
    words = None
    for entry in entries:
        if version in entry.get("withdrawn", ()):
            words = f"withdrawn since, by entry {entry['number']}: {'; '.join(entry['reasons'])}"
        elif entry["challenger"] == version and entry.get("kind") == "override":
            words = None
    return words


def recipe_of(entries: Sequence[Entry], version: str | None) -> str | None:
    """The bundle that ``version`` was promoted as a refit of, None if it was not."""
    found = {entry["challenger"]: entry["refit_of"] for entry in entries if entry.get("refit_of")}
    return found.get(version)


def next_night(site: Site, night: Night) -> Night:
    """``night``, or the first one after those that have been published: they keep the champion that scored them."""
    published = site.tables.published("scores")
    return max(night, nights_back(max(published), -1)) if published else night


def current_champion(site: Site) -> str | None:
    """The version that will serve the next night that has not been scored."""
    return newest_champion(site, site.ledger(PROMOTIONS).entries())


def newest_champion(site: Site, entries: Sequence[Entry]) -> str | None:
    """The champion of the next night to score, or of the first night of a promotion that begins after that."""
    begins = [Night.fromisoformat(entry["effective_from"]) for entry in entries if entry["is_promoted"]]
    return champion_on(entries, next_night(site, max(begins))) if begins else None


def champions_of(site: Site, nights: Sequence[Night]) -> dict[str, list[Night]]:
    """``nights`` by the version that was champion on each.

    Raises:
        NoChampionError: a night lies before the first promotion.
    """
    entries = site.ledger(PROMOTIONS).entries()
    grouped: dict[str, list[Night]] = {}
    for night in sorted(set(nights)):
        grouped.setdefault(require_champion(entries, night), []).append(night)
    return grouped


def require_champion(entries: Sequence[Entry], night: Night) -> str:
    """The version that was champion for ``night``; raises NoChampionError, with the remedy, if there was none."""
    version = champion_on(entries, night)
    if version is None:
        raise NoChampionError(
            f"no model was champion on night {night}; materialise trained_model and promotion for that night or an "
            "earlier one first"
        )
    return version


def follow_ledger(site: Site) -> None:
    """Point MLflow's alias at the champion of the ledger, wherever a crash between the two left it.

    Raises:
        LookupError: MLflow has no such version.
    """
    with exclusive_lock(site.lock_file(PROMOTION_LOCK)):
        _follow_ledger(site)


def _follow_ledger(site: Site) -> None:
    champion = current_champion(site)
    if champion is not None:
        site.registry.set_alias("champion", champion)


def _judge(site: Site, version: str, night: Night, entries: Sequence[Entry]) -> Promotion:
    champion = newest_champion(site, entries)
    if version == champion:
        return Promotion(version, champion, Verdict(False, ("it is the champion already",)), True)
    if version == recipe_of(entries, champion):
        words = f"the champion, {champion}, is its refit already"
        return Promotion(version, champion, Verdict(False, (words,)), True)
    if withdrawn := withdrawal_of(entries, version):
        words = f"{withdrawn}; only a person can promote it again: ml-pipeline promote"
        return Promotion(version, champion, Verdict(False, (words,)), True)
    try:
        compared = set_up_comparison(site, version, champion, night)
    except DamagedChampionError as error:
        return Promotion(version, champion, Verdict(False, (str(error),)), True, "no_comparison")
    verdict = judge(
        compared.challenger, compared.baseline, compared.champion, simple=compared.simple,
        terms=site.project.promotion, traits=compared.traits, seed=site.project.training.seed,
    )  # fmt: skip
    reasons = (*verdict.reasons, *compared.remarks)
    return Promotion(version, champion, replace(verdict, reasons=reasons), True)


def entry_of(outcome: Promotion, night: Night | None, *, effective_from: Night) -> Entry:
    """What the ledger records of ``outcome``."""
    return {
        "kind": outcome.kind, "challenger": outcome.challenger, "champion_before": outcome.champion_before,
        "judged_on": None if night is None else str(night), "effective_from": str(effective_from),
        "is_promoted": outcome.verdict.is_promoted, "reasons": list(outcome.verdict.reasons),
        "numbers": dict(outcome.verdict.numbers),
    }  # fmt: skip


def _says_the_same(entries: Sequence[Entry], entry: Entry) -> bool:
    """Whether the last entry is this very "no comparison": a retry that finds the champion as damaged says nothing new."""
    return bool(entries) and entry["kind"] == "no_comparison" and entry.items() <= entries[-1].items()

"""Lets the gate judge a challenger, records the verdict, and answers who was champion when."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ml_pipeline.domain.evaluation import Metrics, evaluate
from ml_pipeline.domain.gate import Contestant, Verdict, judge
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import labelled_rows

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
    """The version that was champion for ``night``: the last promotion that took effect by then."""
    effective = [entry for entry in entries if entry["is_promoted"] and entry["effective_from"] <= str(night)]
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
            outcome = _judge(site, version, night, champion_on(entries, Night.max))
            entry = {
                "challenger": version, "champion_before": outcome.champion_before, "judged_on": str(night),
                "effective_from": str(_effective_from(site, night)), "is_promoted": outcome.verdict.is_promoted,
                "reasons": list(outcome.verdict.reasons),
            }  # fmt: skip
            site.ledger(PROMOTIONS).append(entry, after=len(entries))
        _follow_ledger(site, version)
    return outcome


def judged_before(site: Site, version: str, night: Night) -> Promotion | None:
    """What the gate said of bundle ``version`` on ``night``, None if it was not asked."""
    for entry in reversed(site.ledger(PROMOTIONS).entries()):
        if entry["challenger"] == version and entry["judged_on"] == str(night):
            verdict = Verdict(entry["is_promoted"], tuple(entry["reasons"]))
            return Promotion(version, entry["champion_before"], verdict, False)
    return None


def _effective_from(site: Site, night: Night) -> Night:
    """Nights that have been published keep their champion: a model that comes after them serves from the next one on."""
    published = site.tables.published("scores")
    return max(night, nights_back(max(published), -1)) if published else night


def current_champion(site: Site) -> str | None:
    """The version that the newest promotion made champion."""
    return champion_on(site.ledger(PROMOTIONS).entries(), Night.max)


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


def _follow_ledger(site: Site, challenger: str) -> None:
    site.registry.set_alias("challenger", challenger)
    champion = current_champion(site)
    if champion is not None:
        site.registry.set_alias("champion", champion)


def _judge(site: Site, version: str, night: Night, champion: str | None) -> Promotion:
    bundle = read_bundle(site.models, version)
    test = bundle.json("metrics.json")["test"]
    contest_first, contest_last = (Night.fromisoformat(day) for day in bundle.manifest["blocks"]["test"])
    if version == champion:
        return Promotion(version, champion, Verdict(False, ("it is the champion already",)), True)
    verdict = judge(
        Contestant(version, Metrics(**test["model"]), _seen_until(bundle, "calibrate")),
        Contestant("baseline", Metrics(**test["baseline"]), None),
        _champion_on_contest(site, champion, first=contest_first, last=contest_last, night=night),
        contest_first=contest_first,
        min_log_loss_gain=site.project.promotion.min_log_loss_gain,
    )
    return Promotion(version, champion, verdict, True)


def _seen_until(bundle: ModelBundle, purpose: str) -> Night:
    return Night.fromisoformat(bundle.manifest["blocks"][purpose][1])


def _champion_on_contest(
    site: Site, champion: str | None, *, first: Night, last: Night, night: Night
) -> Contestant | None:
    if champion is None:
        return None
    bundle = read_bundle(site.models, champion)
    sql = bundle.feature_set
    build_features(site, nights_between(first, last), sql=sql)
    rows = labelled_rows(site, features_table(sql), first=first, last=last, known_by=night)
    scorer = load_scorer(bundle)
    raw = raw_scores(scorer, scorer.encoder.transform(rows.rows), threads=site.threads)
    metrics = evaluate(rows.labels, scorer.calibrator.probability(raw))
    return Contestant(champion, metrics, _seen_until(bundle, "test"))

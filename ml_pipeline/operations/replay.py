"""Operates past nights as they would have happened, under one policy, in a data root of its own.

By the functions that the nightly job calls, in the order of the nights: scored by who was champion of the night, judged by
the labels that it knew, decided by the policy, and where that asks for a model, trained, judged by the gate and promoted as
of that night before the next one is scored. Nights on which nobody could ask for anything are run together, which gives
the same tables and costs a fraction.
"""

from collections.abc import Sequence

from ml_pipeline.domain.replay_policies import ReplayAct, ReplayPolicy
from ml_pipeline.io.model_bundle import BundleError
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.decide import DECISIONS, earliest_request
from ml_pipeline.operations.mature import measure_performance
from ml_pipeline.operations.matured_calibration import measure_matured_calibration
from ml_pipeline.operations.nightly_chain import run_nights
from ml_pipeline.operations.promote import PROMOTIONS, Promotion, champion_on, promote_if_better
from ml_pipeline.operations.recalibrate import recalibrate
from ml_pipeline.operations.replay_watch import Watch, watching_beside
from ml_pipeline.operations.score_audit import HOLDS as HELD_SCORES
from ml_pipeline.operations.score_audit import ScoresHeldError, accept_held
from ml_pipeline.operations.shadow_lanes import earliest_look
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import train

REPLAY_ACTS = "replay_acts"
STANDS_IN = "a replay stands in for the person on call: let it pass, to see what comes of it"


class NoFirstChampionError(RuntimeError):
    """The gate accepted no model on any night of the replay."""


def first_champion(site: Site, first: Night, last: Night) -> Night:
    """Train until the gate accepts a first model; returns the night as of which it did, the first that is scored.

    After a refusal the next try comes a cool-down later, as after any training.

    Raises:
        NoFirstChampionError: it accepted none up to ``last``.
    """
    step = site.project.monitoring.cool_down_nights
    for night in nights_between(first, last)[::step]:
        promotion = _make(site, "train", night, asked_by="no champion yet")
        if promotion is not None and promotion.verdict.is_promoted:
            return night
    raise NoFirstChampionError(f"the gate accepted no model from {first} to {last}, tried every {step} nights")


def replay_nights(site: Site, policy: ReplayPolicy, first: Night, last: Night) -> None:
    """Operate nights ``first`` to ``last`` under ``policy``. Features, labels and a champion of ``first`` are there.

    In the end the outcomes of the last nights are waited for and judged.
    """
    night = first
    with watching_beside(site) as watch:
        while night <= last:
            upto = min(last, _next_act(site, policy, nights_back(night, 1)))
            _run(site, nights_between(night, upto), watch)
            site.progress(f"{policy.name}: {night} to {upto}")
            act = policy.act(upto, _verdict(site, upto))
            if act is not None:
                _make(site, act, upto, asked_by=policy.name)
            night = nights_back(upto, -1)
    waited = nights_between(nights_back(last, -1), nights_back(last, -site.project.label.horizon_nights))
    measure_performance(site, waited)
    measure_matured_calibration(site, waited)


def _next_act(site: Site, policy: ReplayPolicy, tonight: Night) -> Night:
    """The first night after ``tonight`` on which somebody could change who serves; no night before it can."""
    project, entries = site.project, site.ledger(PROMOTIONS).entries()
    look = earliest_look(entries, tonight, project.serving, horizon_nights=project.label.horizon_nights)
    return min(look, policy.next_act(tonight, earliest_verdict=earliest_request(site, tonight)))


def _run(site: Site, nights: Sequence[Night], watch: Watch) -> None:
    """Run ``nights``; scores that are held are let pass, and that is recorded as any acceptance is."""
    while True:
        held = len(site.ledger(HELD_SCORES).entries())
        try:
            run_nights(site, nights, watch)
        except ScoresHeldError:
            new = site.ledger(HELD_SCORES).entries()[held:]
            if not new:
                raise
            for entry in new:
                accept_held(site, Night.fromisoformat(entry["night"]), reason=STANDS_IN)
        else:
            return


def _verdict(site: Site, night: Night) -> str:
    (row,) = site.tables.read(DECISIONS, [night], ["verdict"]).to_pylist()
    return str(row["verdict"])


def _make(site: Site, act: ReplayAct, night: Night, *, asked_by: str) -> Promotion | None:
    """Make a model as of ``night`` and let the gate judge it; None, recorded with the reason, if none could be made."""
    try:
        if act == "train":
            version = train(site, night).bundle.version
        else:
            champion = champion_on(site.ledger(PROMOTIONS).entries(), night)
            version = recalibrate(site, str(champion), night).bundle.version
        promotion = promote_if_better(site, version, night)
    except (BundleError, LookupError, ValueError) as error:
        # A run of this kind fails and is asked for no more: the next evidence may ask again.
        _note(site, act, night, asked_by, version="", reasons=[str(error)])
        return None
    _note(site, act, night, asked_by, version=version, reasons=list(promotion.verdict.reasons))
    site.progress(f"{night}: {act}, {version}, {'promoted' if promotion.verdict.is_promoted else 'refused'}")
    return promotion


def _note(site: Site, act: ReplayAct, night: Night, asked_by: str, *, version: str, reasons: Sequence[str]) -> None:
    site.ledger(REPLAY_ACTS).append(
        {"night": str(night), "act": act, "asked_by": asked_by, "version": version, "reasons": list(reasons)}
    )

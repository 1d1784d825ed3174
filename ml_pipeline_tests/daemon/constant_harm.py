"""Nights of constant drift and constant harm, lived through on the shop: real decisions, real trainings, the real gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ml_pipeline.nights import Night
from ml_pipeline.operations.decide import decide_retraining, open_request
from ml_pipeline.operations.promote import PROMOTIONS, promote_if_better
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import train
from ml_pipeline_tests.watched_nights import publish_costs, publish_drift


@dataclass(frozen=True)
class Lived:
    """What came of the nights.

    Attributes:
        trained: nights on which the policy asked for a retraining, all answered.
        evidence: what each was asked for.
        verdicts: what the gate said of each challenger, as the ledger holds it.
    """

    trained: list[Night]
    evidence: list[str]
    verdicts: list[dict[str, Any]]


def live_through(site: Site, nights: Sequence[Night]) -> Lived:
    """Whatever model serves, nine of ten features have drifted and it costs a tenth more than the baseline."""
    trained, evidence, judged = [], [], len(site.ledger(PROMOTIONS).entries())
    for night in nights:
        publish_drift(site, {night: 0.9})
        publish_costs(site, {night: (1.1, 1.0)})
        decide_retraining(site, [night])
        asked = open_request(site)
        if asked is not None and asked.act == "retrain":
            promote_if_better(site, train(site, asked.night).bundle.version, asked.night)
            trained.append(asked.night)
            evidence.append(asked.evidence_id)
    return Lived(trained, evidence, site.ledger(PROMOTIONS).entries()[judged:])

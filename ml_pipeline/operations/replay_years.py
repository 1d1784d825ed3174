"""Reads a finished replay root: the year of its policy, night by night, with what it decided and the models that it made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.serving import SCORES
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.replay_policies import ReplayPolicy
from ml_pipeline.domain.replay_report import PolicyYear, ReplayedModel, ReplayedNight
from ml_pipeline.domain.replay_summary import NightFacts, ReplayedRows, saved, summarise_nights
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.model_bundle import MANIFEST, read_manifest
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.decide import DECISIONS
from ml_pipeline.operations.judged_nights import baseline_acts, baseline_of, features_of
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.recalibrate import SOURCE
from ml_pipeline.operations.replay import REPLAY_ACTS
from ml_pipeline.operations.site import Site

_NAN = float("nan")


@dataclass(frozen=True)
class ReplayedYear:
    """What one root holds."""

    policy: ReplayPolicy
    rows: ReplayedRows
    nights: tuple[ReplayedNight, ...]
    models: tuple[ReplayedModel, ...]


def read_year(site: Site, policy: ReplayPolicy, first: Night, last: Night) -> ReplayedYear:
    """The nights ``first`` to ``last`` of a finished root, by every outcome that it has landed."""
    nights = nights_between(first, last)
    scores = site.tables.read(SCORES, nights)
    rows = _known_rows(site, scores, nights)
    facts = _as_decided(site, policy, _facts(site, scores, nights))
    return ReplayedYear(policy, rows, summarise_nights(site.project.decision, rows, facts), _models(site, facts))


def as_policy_year(site: Site, year: ReplayedYear, others: Sequence[ReplayedYear]) -> PolicyYear:
    """``year`` with its totals, and what it saved beside each of ``others``."""
    contract, rows = site.project.decision, year.rows
    metrics = evaluate(rows.labels, rows.probabilities)
    made = [model for model in year.models if model.asked_by == year.policy.name]
    alarms = [night for night in year.nights if night.verdict == "alarm"]
    return PolicyYear(
        year.policy.name, year.policy.title, year.policy.description, year.nights, year.models, metrics.rows,
        float(rows.costs(contract).sum()), float(rows.baseline_costs(contract).sum()), metrics.log_loss, metrics.brier,
        metrics.roc_auc, metrics.average_precision, metrics.calibration_error,
        sum(model.act == "train" for model in made), sum(model.act == "recalibrate" for model in made),
        sum(model.is_promoted for model in made), len(alarms), 0,
        {
            "baseline": saved(contract, rows, rows.by_baseline(), seed=site.project.training.seed),
            **{
                other.policy.name: saved(contract, rows, other.rows, seed=site.project.training.seed)
                for other in others if other.policy != year.policy
            },
        },
    )  # fmt: skip


def _known_rows(site: Site, scores: pa.Table, nights: Sequence[Night]) -> ReplayedRows:
    key = [SCORE_DATE, *site.project.entity_key]
    labels = match_labels(
        scores, site.tables.read(LABELS, sorted(site.tables.published(LABELS))), site.project.entity_key
    )
    baseline = baseline_of(site, features_of(site, scores, nights, (site.project.baseline.feature,)))
    acts = baseline_acts(site, scores, baseline)
    is_known = ~np.isnan(labels)
    known = scores.filter(pa.array(is_known)).combine_chunks()
    return ReplayedRows(
        content_hash(known.select(key)), np.asarray(known.column(SCORE_DATE).to_numpy()).astype("datetime64[D]"),
        labels[is_known], known.column("probability").to_numpy(),
        np.asarray(known.column("decision").to_numpy(zero_copy_only=False), dtype=np.bool_), baseline[is_known],
        acts[is_known],
    )  # fmt: skip


def _facts(site: Site, scores: pa.Table, nights: Sequence[Night]) -> dict[Night, NightFacts]:
    served: dict[Night, Mapping[str, Any]] = {}
    for row in scores.group_by([SCORE_DATE, "model_version", "served_by"]).aggregate([]).to_pylist():
        served[row[SCORE_DATE]] = row
    found = {}
    for row in site.tables.read(DECISIONS, nights).to_pylist():
        who = served[row[SCORE_DATE]]
        found[row[SCORE_DATE]] = NightFacts(
            who["model_version"], who["served_by"], _number(row["drifted_share"]), _number(row["cost_saving"]),
            _number(row["estimated_log_loss"]),
            row["verdict"], row["severity"], row["reasons"],
        )  # fmt: skip
    return found


def _as_decided(site: Site, policy: ReplayPolicy, facts: dict[Night, NightFacts]) -> dict[Night, NightFacts]:
    """``facts`` with what ``policy`` made of each night, where it does not follow the nightly verdicts; alarms are everyone's."""
    if policy.follows_verdicts:
        return facts
    made = {entry["night"] for entry in site.ledger(REPLAY_ACTS).entries() if entry["asked_by"] == policy.name}
    found = {}
    for night, fact in facts.items():
        found[night] = fact
        if str(night) in made:
            found[night] = replace(fact, verdict="retrain", severity="advisory", reasons="the first night of a month")
        elif fact.verdict != "alarm":
            found[night] = replace(fact, verdict="nothing", severity="none")
    return found


def _number(value: float | None) -> float:
    return _NAN if value is None else float(value)


def _models(site: Site, facts: Mapping[Night, NightFacts]) -> tuple[ReplayedModel, ...]:
    """Every model that was asked for, in order; one that could not be made has an empty version."""
    promoted = {entry["challenger"] for entry in site.ledger(PROMOTIONS).entries() if entry["is_promoted"]}
    models = []
    for entry in site.ledger(REPLAY_ACTS).entries():
        version, made_on = str(entry["version"]), Night.fromisoformat(entry["night"])
        served = [night for night, fact in sorted(facts.items()) if fact.model_version == version]
        made_from, (train_first, train_last) = _made(site, version) if version else ("", (made_on, made_on))
        models.append(
            ReplayedModel(
                version, made_on, entry["act"], made_from, entry["asked_by"], version in promoted, tuple(entry["reasons"]),
                train_first, train_last, served[0] if served else None, served[-1] if served else None,
            )
        )  # fmt: skip
    return tuple(models)


def _made(site: Site, version: str) -> tuple[str, tuple[Night, Night]]:
    manifest = read_manifest(site.models / version / MANIFEST)
    first, last = manifest["blocks"]["train"]
    return str(manifest.get(SOURCE) or ""), (Night.fromisoformat(first), Night.fromisoformat(last))

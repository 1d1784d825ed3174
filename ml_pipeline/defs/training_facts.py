"""What a verdict, a refit and a tuning say of themselves on their page in the UI."""

from typing import Any

import dagster as dg

from ml_pipeline.domain.gate_table import comparison_table
from ml_pipeline.operations.promote import Promotion
from ml_pipeline.operations.refit import Refit
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.tune import Tuning

Facts = dict[str, Any]


def verdict_facts(outcome: Promotion) -> Facts:
    """Who was judged, what came of it, why, and the numbers side by side."""
    return {
        "model_version": outcome.challenger, "is_promoted": outcome.verdict.is_promoted, "is_new": outcome.is_new,
        "champion_before": outcome.champion_before or "none",
        "reasons": _bullets(outcome.verdict.reasons),
        "comparison": dg.MetadataValue.md(comparison_table(outcome.verdict.numbers)),
    }  # fmt: skip


def refit_facts(refit: Refit) -> Facts:
    """Whether the accepted model was refit, and why."""
    return {
        "is_refit": refit.decision.is_refit, "refit_version": refit.version or "none",
        "refit_is_champion": refit.is_champion, "refit_reasons": _bullets(refit.decision.reasons),
    }  # fmt: skip


def tuning_facts(site: Site, tuning: Tuning) -> Facts:
    """The choice with its reasons, every trial from the best to the worst, and what the search cost."""
    record, contract = tuning.record, site.project.tuning
    ranked = sorted(record["trials"], key=lambda trial: (float(trial["log_loss"]), trial["trial"]))
    rows = "\n".join(
        f"| {trial['trial']} | {trial['log_loss']:.5f} | {trial['seconds']:.1f} | {_told(trial)} |" for trial in ranked
    )
    return {
        "chosen_trial": record["chosen"], "best_trial": record["best"], "is_new": tuning.is_new,
        "parameters": dg.MetadataValue.json(record["parameters"]), "reasons": _bullets(record["reasons"]),
        "trials": dg.MetadataValue.md(f"| trial | log loss | seconds | parameters |\n|---|---|---|---|\n{rows}"),
        "trials_declared": record["trials_declared"], "seconds": record["seconds"],
        "budget_seconds": float(contract.budget_seconds) if contract else 0.0,
        "is_ended_early": record["is_ended_early"], "content_hash": record["content_hash"],
    }  # fmt: skip


def _told(trial: dict[str, Any]) -> str:
    told = [f"{name} {value}" for name, value in sorted(trial["parameters"].items())]
    return ", ".join(told) or "the project's own"


def _bullets(reasons: "tuple[str, ...] | list[str]") -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"- {reason}" for reason in reasons))

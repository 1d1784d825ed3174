"""How an asset reports: nights, counts, checks, and refusals that must not be retried."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg

from ml_pipeline.contracts.rows import SourceShapeError
from ml_pipeline.defs.meter import METER
from ml_pipeline.defs.run_tags import NIGHT, VERDICT, VERDICT_EVIDENCE, in_words, tag_run
from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.model_bundle import BundleError
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline.io.table_store import PublishResult
from ml_pipeline.nights import Night, parse_night
from ml_pipeline.operations.land import LandingBlockedError, LandingHeldError
from ml_pipeline.operations.score import ScoreAuditError

# What another try would only meet again. Everything else (a busy disk, a locked database) may pass and is retried.
REFUSALS = (
    BundleError, DeliveryError, LandingBlockedError, LandingHeldError, LookupError, ScoreAuditError, SourceShapeError, SqlRefusedError,
    ValueError,
)  # fmt: skip

Outcome = TypeVar("Outcome")
Report = Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]


def nights_of(context: dg.AssetExecutionContext) -> list[Night]:
    """The nights of this run, read first: a partitioned job without a partition must fail, not publish nothing.

    From here on the asset's cost is measured; the first asset of a run tags it with its nights.
    """
    keys = list(context.partition_keys)
    if METER.begin(context.run_id, context.asset_key.to_user_string(), len(keys)):
        tag_run(context, {NIGHT: in_words(keys)})
    return [parse_night(key) for key in keys]


def refused(check_name: str, error: Exception) -> tuple[dg.AssetCheckResult, dg.Failure]:
    """A failed check and the failure that ends the step: nothing counts as materialised."""
    failure = dg.Failure(f"{check_name}: {error}", allow_retries=False)
    return dg.AssetCheckResult(check_name=check_name, passed=False, metadata={"reason": str(error)}), failure


def passed(check_name: str, **facts: float | str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(check_name=check_name, passed=True, metadata=facts)


def run_or_refuse(work: Callable[[], Outcome]) -> Outcome:
    """Run ``work``; a refusal becomes a failure that is not retried."""
    try:
        return work()
    except REFUSALS as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def report_nights(
    context: dg.AssetExecutionContext, published: PublishResult | None, facts: Mapping[Night, Mapping[str, Any]]
) -> None:
    """Attach to each night's materialisation its own counts, and what the run had cost when its nights were published."""
    changed = set(published.changed) if published else set()
    cost = METER.publish(
        context.run_id, context.asset_key.to_user_string(), nights_changed=len(changed), rows=published.rows if published else 0
    )  # fmt: skip
    shared = {} if cost is None else {
        "nights_in_run": cost.nights, "seconds_until_published": round(cost.wall_seconds, 3),
        "cpu_seconds_until_published": round(cost.cpu_seconds, 3), "peak_memory_mib": round(cost.peak_memory_mib, 1),
    }  # fmt: skip
    for key in context.partition_keys:
        night = parse_night(key)
        context.add_asset_metadata(
            {**facts.get(night, {}), **shared, "is_changed": night in changed}, partition_key=key
        )
    _tag_verdict(context, list(facts.values()))


def _tag_verdict(context: dg.AssetExecutionContext, facts: Sequence[Mapping[str, Any]]) -> None:
    """Of one night; a range has many verdicts."""
    if len(facts) == 1 and "verdict" in facts[0]:
        tag_run(context, {VERDICT: str(facts[0]["verdict"]), VERDICT_EVIDENCE: str(facts[0]["evidence_id"])})


def published_facts(published: PublishResult) -> dict[str, Any]:
    return {
        "table": published.table, "delta_version": published.version, "nights_changed": len(published.changed),
        "nights_unchanged": len(published.unchanged),
    }  # fmt: skip


def row_counts(nights: Mapping[Night, int]) -> dict[Night, dict[str, Any]]:
    return {night: {"dagster/row_count": rows} for night, rows in nights.items()}


def image(title: str, png: bytes) -> str:
    """Markdown of a small picture that the UI shows in place; it is kept in the event log, so small it must be."""
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"


def sample_nights(nights: Sequence[Night], wanted: int) -> list[Night]:
    """The first, the last and evenly spaced nights between them: the same ones each time."""
    ordered = sorted(set(nights))
    step = max(1, -(-len(ordered) // wanted))
    return sorted({*ordered[::step], ordered[-1]})

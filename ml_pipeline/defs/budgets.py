"""The check ``run_within_budget``: what each asset of a run cost, against what the same work cost of late.

One check a run, on the asset that the run is for: each check is five writes to the event log, and one for every asset made a
night a second longer.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from ml_pipeline.defs.meter import METER
from ml_pipeline.domain.run_budget import RUNS_KEPT, BudgetVerdict, Cost, judge_budget

RUN_WITHIN_BUDGET = "run_within_budget"
_JUDGED_WITH = ("scores", "trained_model", "recalibrated_model", "tuned_parameters")
# Runs of other numbers of nights lie between those that can be compared.
_RECORDS_READ = 3 * RUNS_KEPT


def budget_checks(assets: Iterable[dg.AssetKey]) -> dg.AssetChecksDefinition:
    """One step after all of ``assets`` that a run has; it reads what earlier runs cost from its own evaluations."""
    every = sorted(assets)

    @dg.multi_asset_check(
        name="budgets", can_subset=True,
        specs=[
            dg.AssetCheckSpec(
                RUN_WITHIN_BUDGET, asset=key, additional_deps=[other for other in every if other != key], description=(
                    "Time, processor, memory and rows of each asset of the run against the median of the "
                    f"{RUNS_KEPT} runs before that had as many nights to do. A warning; it holds nothing up."
                ),
            )
            for key in every if key.to_user_string() in _JUDGED_WITH
        ],
    )  # fmt: skip
    def budgets(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        costs = METER.costs(context.run.run_id)
        for check in sorted(context.selected_asset_check_keys, key=str):
            yield _judged(check, costs, _earlier_costs(context.instance, check))

    return budgets


def _judged(
    check: dg.AssetCheckKey, costs: Mapping[str, Cost], earlier: Mapping[str, list[Cost]]
) -> dg.AssetCheckResult:
    verdicts = {asset: judge_budget(cost, earlier.get(asset, [])) for asset, cost in costs.items()}
    exceeded = [
        f"{asset}: {reason}" for asset, each in verdicts.items() if not each.is_within for reason in each.reasons
    ]
    return dg.AssetCheckResult(
        check_name=check.name, asset_key=check.asset_key, passed=not exceeded, severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "exceeded": exceeded, "wall_seconds": sum(cost.wall_seconds for cost in costs.values()),
            "cpu_seconds": sum(cost.cpu_seconds for cost in costs.values()),
            "peak_memory_mib": max((cost.peak_memory_mib for cost in costs.values()), default=0.0),
            "by_asset": dg.MetadataValue.md(_table(costs, verdicts)),
            "costs": {asset: {name: round(value, 3) for name, value in asdict(cost).items()} for asset, cost in costs.items()},
        },
    )  # fmt: skip


def _table(costs: Mapping[str, Cost], verdicts: Mapping[str, BudgetVerdict]) -> str:
    head = ["| asset | nights | changed | rows | wall s | cpu s | peak MiB | |", "|---|---|---|---|---|---|---|---|"]
    rows = [
        f"| {asset} | {cost.nights} | {cost.nights_changed} | {cost.rows:,} | {cost.wall_seconds:.2f} | "
        f"{cost.cpu_seconds:.2f} | {cost.peak_memory_mib:,.0f} | {'; '.join(verdicts[asset].reasons)} |"
        for asset, cost in costs.items()
    ]
    return "\n".join([*head, *rows]) if rows else "Not measured: the assets were materialised by other processes."


def _earlier_costs(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> dict[str, list[Cost]]:
    """What each asset cost in earlier runs, newest first."""
    found: dict[str, list[Cost]] = {}
    for record in instance.event_log_storage.get_asset_check_execution_history(check, limit=_RECORDS_READ):
        for asset, cost in _costs_in(record.event).items():
            found.setdefault(asset, []).append(Cost(**cost))
    return found


def _costs_in(event: dg.EventLogEntry | None) -> Mapping[str, dict[str, Any]]:
    said = event.dagster_event if event else None
    if said is None or said.event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return {}
    costs = said.asset_check_evaluation_data.metadata.get("costs")
    return costs.data if isinstance(costs, dg.JsonMetadataValue) and isinstance(costs.data, dict) else {}

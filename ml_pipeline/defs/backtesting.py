"""The backtest: an asset of its own, in no nightly job."""

import dagster as dg

from ml_pipeline.contracts.project import BacktestContract
from ml_pipeline.defs.project import NIGHTS, RETRY, SINGLE_RUN, same_night, sql_project
from ml_pipeline.defs.reporting import image, nights_of, published_facts, report_nights, run_or_refuse
from ml_pipeline.defs.resources import SiteResource
from ml_pipeline.domain.backtest_table import metric_by_span
from ml_pipeline.nights import Night
from ml_pipeline.operations.backtest import BACKTEST, run_backtest
from ml_pipeline.operations.backtest_report import report_path

_PROJECT = sql_project().project


@dg.asset(
    key=BACKTEST.split("/"), deps=same_night("features", "labels"),
    partitions_def=NIGHTS, backfill_policy=SINGLE_RUN, retry_policy=RETRY, group_name="backtesting",
    kinds={"lightgbm", "deltalake"}, owners=[_PROJECT.owner], pool="training", code_version="1",
)  # fmt: skip
def backtest(context: dg.AssetExecutionContext, site: SiteResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """A model as of the first night of each month of the project's backtest, judged on that month, beside simple models."""
    nights = nights_of(context)
    here = site.open(context.log.info)
    span = run_or_refuse(lambda: span_for(nights, here.project.backtest))
    found = run_or_refuse(lambda: run_backtest(here, span.first, span.last))
    log_loss = metric_by_span(found.rows.to_pylist(), "log_loss")
    facts = {
        month: {f"log_loss_{subject}": value for subject, value in log_loss[f"{month:%Y-%m}"].items()}
        for month in found.months
    }
    report_nights(context, found.published, facts)
    report = report_path(here)
    return dg.MaterializeResult(metadata={
        **published_facts(found.published), "by_month": dg.MetadataValue.md(report.read_text(encoding="utf-8")),
        "plot": dg.MetadataValue.md(image("backtest", report.with_suffix(".png").read_bytes())),
    })  # fmt: skip


def span_for(nights: list[Night], contract: BacktestContract | None) -> BacktestContract:
    """The project's whole backtest, for a run of any of its months: pooled figures cannot be had month by month.

    Raises:
        ValueError: the project has none, or no month of it begins in ``nights``.
    """
    if contract is None:
        raise ValueError("the project has no backtest; name its first and last month as backtest in project.yml")
    if not any(night.day == 1 and contract.first <= night <= contract.last for night in nights):
        raise ValueError(
            f"no month of the backtest begins on night {nights[0]}" + (f" to {nights[-1]}" if len(nights) > 1 else "")
            + f"; choose the first night of a month from {contract.first} to {contract.last}"
        )  # fmt: skip
    return contract

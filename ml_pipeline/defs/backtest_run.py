"""What ``make backtest`` does: builds what the project's backtest needs, replays it through Dagster, prints the table."""

import sys
from collections.abc import Callable
from functools import partial

import click
import dagster as dg

from ml_pipeline.contracts.project import BacktestContract
from ml_pipeline.defs.default_run import Stage, StageFailedError, landing_stages, run_whole_stages
from ml_pipeline.defs.instance import open_instance, prepare
from ml_pipeline.defs.project import settings
from ml_pipeline.defs.resources import site_resource
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.backtest import BACKTEST, nights_needed, stale_backtest
from ml_pipeline.operations.backtest_report import report_path
from ml_pipeline.operations.build import stale_features, stale_labels
from ml_pipeline.operations.site import Site


def backtest_stages(site: Site, span: BacktestContract) -> list[Stage]:
    """Land, build and replay, in order."""
    first = site.project.first_night
    last, known_by = nights_needed(site, span.last)
    return [
        *landing_stages(site, known_by),
        Stage("build features", "feature_building", ("features",), partial(stale_features, site, nights_between(first, last))),
        Stage("build labels", "feature_building", ("labels",), partial(stale_labels, site, nights_between(first, known_by))),
        Stage("replay", "backtest", (BACKTEST,), partial(stale_backtest, site, span.first, span.last)),
    ]  # fmt: skip


def run_backtest_stages(site: Site, instance: dg.DagsterInstance, say: Callable[[str], None]) -> int:
    """Run what is stale; returns the number of Dagster runs.

    Raises:
        StageFailedError: the project has no backtest, or a run failed; later stages were not started.
    """
    span = site.project.backtest
    if span is None:
        raise StageFailedError("the project has no backtest; name its first and last month as backtest in project.yml")
    return run_whole_stages(backtest_stages(site, span), instance, say)


def main() -> None:
    """Run the backtest of the configured project; the exit code says whether it could."""
    home = settings().dagster_home
    site = site_resource().open(click.echo)
    prepare(site, home)
    with open_instance(home) as instance:
        try:
            run_backtest_stages(site, instance, click.echo)
        except (StageFailedError, LookupError, ValueError) as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(1)
    click.echo(report_path(site).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

"""``ml-pipeline``: the few commands that are not runs."""

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from ml_pipeline.cli.alerts import alerts
from ml_pipeline.cli.analysts import data_docs, explain, export
from ml_pipeline.cli.cards import card, review
from ml_pipeline.cli.drift import drift_report
from ml_pipeline.cli.features import features
from ml_pipeline.cli.models import promote, rearm, rollback
from ml_pipeline.cli.quarantine import hold, quarantine
from ml_pipeline.cli.recover import recover
from ml_pipeline.cli.replay import replay
from ml_pipeline.cli.reproduce import reproduce
from ml_pipeline.cli.scores import scores
from ml_pipeline.cli.servers import mlflow_ui, ui
from ml_pipeline.cli.tune import recalibrate, tune
from ml_pipeline.cli.vacuum import vacuum
from ml_pipeline.cli.verify import verify
from ml_pipeline.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Nightly batch machine learning that cannot look into the future."""
    # Only this front door reads the settings; every command is given the function that opens the installation.
    context.obj = lambda: _site(Settings())


main.add_command(alerts)
main.add_command(card)
main.add_command(data_docs)
main.add_command(drift_report)
main.add_command(explain)
main.add_command(export)
main.add_command(features)
main.add_command(promote)
main.add_command(rearm)
main.add_command(recover)
main.add_command(replay)
main.add_command(reproduce)
main.add_command(rollback)
main.add_command(review)
main.add_command(mlflow_ui)
main.add_command(ui)
main.add_command(vacuum)
main.add_command(verify)
main.add_command(quarantine)
main.add_command(hold)
main.add_command(scores)
main.add_command(recalibrate)
main.add_command(tune)


@main.command()
def init() -> None:
    """Make the data folders and the SQLite stores of Dagster and MLflow."""
    from ml_pipeline.defs.instance import prepare

    settings = Settings()
    prepare(_site(settings), settings.dagster_home)
    click.echo(f"ready: {settings.data.resolve()}")


@main.command()
def run() -> None:
    """Run the project's default chain; what is up to date is left alone."""
    from ml_pipeline.defs.default_run import StageFailedError, run_stages
    from ml_pipeline.defs.instance import open_instance, prepare
    from ml_pipeline.nights import nights_back, nights_between
    from ml_pipeline.operations.summarise import summarise

    settings = Settings()
    site = _site(settings)
    prepare(site, settings.dagster_home)
    click.echo(f"{site.project.title}: {len(site.sql.features)} features, version {site.sql.feature_set_version}")
    with open_instance(settings.dagster_home) as instance:
        try:
            runs = run_stages(site, instance, click.echo)
        except StageFailedError as error:
            raise click.ClickException(str(error)) from error
    plan = site.project.default_run
    click.echo(_table(summarise(site, nights_between(plan.train_on, plan.score_until))))
    click.echo(f"{runs} Dagster runs." if runs else "Everything was up to date: nothing was changed.")
    click.echo(_NEXT.format(night=nights_back(plan.score_until, -1)))


@main.command()
@click.argument("sql")
def query(sql: str) -> None:
    """Ask the analysts' catalog, read-only."""
    import duckdb

    from ml_pipeline.io.duckdb_connections import analyst_connection

    warehouse = Settings().data / "warehouse.duckdb"
    if not warehouse.exists():
        raise click.ClickException(f"{warehouse} is not there yet; make run builds it")
    with analyst_connection(warehouse.resolve()) as connection:
        try:
            answer = connection.sql(sql)
        except duckdb.Error as error:
            raise click.ClickException(str(error)) from error
        if answer is not None:
            answer.show(max_width=200, max_rows=200)


@main.command()
def doctor() -> None:
    """Say where everything lies and whether it is in order."""
    from importlib.metadata import version

    settings = Settings()
    checks: dict[str, Callable[[], Any]] = {
        "data root": settings.data.resolve,
        "use case": lambda: f"{_site(settings).project.title} ({settings.project.name})",
        "feature set": lambda: _site(settings).sql.feature_set_version,
        "dagster": lambda: f"{version('dagster')}, DAGSTER_HOME={settings.dagster_home}",
        "mlflow": lambda: f"{version('mlflow')}, {settings.tracking_uri}",
        "champion": lambda: _champion(settings),
    }
    has_failed = False
    for name, check in checks.items():
        try:
            click.echo(f"{name:12} {check()}")
        except (OSError, ValueError, LookupError) as error:
            has_failed = True
            click.echo(f"{name:12} NOT IN ORDER: {error}")
    sys.exit(1 if has_failed else 0)


def _site(settings: Settings) -> Any:
    from ml_pipeline.operations.site import open_site

    try:
        channels = settings.channels
    except ValueError as error:
        raise click.ClickException(f"ML_PIPELINE_ALERT_CHANNELS: {error}") from None
    return open_site(
        project_folder=settings.project, data=settings.data.resolve(), tracking_uri=settings.tracking_uri,
        threads=settings.threads, channels=channels,
    )  # fmt: skip


def _champion(settings: Settings) -> str:
    from ml_pipeline.io.model_bundle import read_bundle
    from ml_pipeline.operations.promote import current_champion

    site = _site(settings)
    version = current_champion(site)
    return f"{read_bundle(site.models, version).version}, verified" if version else "none yet"


def _table(summary: Any) -> str:
    model, baseline = summary.model, summary.baseline
    lines = [
        "",
        f"  nights landed     {summary.nights_landed:>9,}    rows landed       {summary.rows_landed:>9,}",
        f"  rows quarantined  {summary.rows_quarantined:>9,}    nights scored     {summary.nights_scored:>9,}",
        f"  rows scored       {summary.rows_scored:>9,}    with known label  {model.rows:>9,}",
        "",
        f"  {'scored nights':22} {'model':>10} {'baseline':>10}",
    ]
    names = ("log_loss", "brier", "roc_auc", "average_precision", "calibration_error")
    lines += [
        f"  {name.replace('_', ' '):22} {getattr(model, name):10.4f} {getattr(baseline, name):10.4f}" for name in names
    ]
    return "\n".join([*lines, ""])


_NEXT = """
Try next:
  make query SQL="select score_date, count(*) as n, round(avg(probability), 3) as risk from scores group by 1 order by 1"
  make ui                        the graph, the checks, the plots, on http://127.0.0.1:3000
  make nightly NIGHT={night}  one more night, whole"""


def entry() -> None:
    """Run a command and end the process at once.

    After some runs DuckDB's binding ends an ordinary interpreter exit with a page of leak warnings (seen after measuring
    drift under Dagster; what holds its types is not known), under the answer that the user came for. All that is written
    is durable by then.
    """
    code = 0
    try:
        main(standalone_mode=True)
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

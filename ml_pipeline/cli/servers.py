"""``ml-pipeline ui`` and ``mlflow-ui``: Dagster's web server and daemon, and MLflow's, for people on this machine."""

import click


@click.command()
@click.option("--port", default=3000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--read-only", "is_read_only", is_flag=True, help="Refuse everything that changes something; no daemon.")
@click.option("--daemon/--no-daemon", "has_daemon", default=True, help="Schedules, sensors and queued runs need it.")
def ui(*, port: int, is_read_only: bool, has_daemon: bool) -> None:
    """Serve Dagster's UI on 127.0.0.1, to its own pages and to programs only."""
    from ml_pipeline.defs.webserver import serve
    from ml_pipeline.ui.loopback import PortTakenError

    try:
        serve(port=port, is_read_only=is_read_only, has_daemon=has_daemon and not is_read_only, say=click.echo)
    except PortTakenError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped")


@click.command("mlflow-ui")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--read-only", "is_read_only", is_flag=True, help="Refuse everything that changes something.")
def mlflow_ui(*, port: int, is_read_only: bool) -> None:
    """Serve MLflow's UI on 127.0.0.1, to its own pages and to programs only: experiments, runs and models."""
    from ml_pipeline.defs.mlflow_server import ServedElsewhereError, serve_mlflow
    from ml_pipeline.ui.loopback import PortTakenError

    try:
        serve_mlflow(port=port, is_read_only=is_read_only, say=click.echo)
    except (PortTakenError, ServedElsewhereError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped")

"""``ml-pipeline drift-report``: Evidently's report of a night, when somebody asks for it."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.site import Site


@click.command("drift-report")
@click.option(
    "--night", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The night whose features are compared."
)
@click.pass_obj
def drift_report(open_site: "Callable[[], Site]", night: datetime) -> None:
    """Write Evidently's drift report of a night, whatever the weekday, and say where it and our own index disagree."""
    from ml_pipeline.io.model_bundle import BundleError
    from ml_pipeline.operations.watch import report_drift

    try:
        found = report_drift(open_site(), night.date())
    except (BundleError, LookupError, ValueError) as error:
        raise click.ClickException(error.args[0] if isinstance(error, LookupError) else str(error)) from error
    if found is None:
        raise click.ClickException(f"night {night.date()} has no rows to compare; build its features first")
    agreed = len(found.compared) - len(found.disagreeing)
    click.echo(f"{found.path}: {agreed} of {len(found.compared)} features agree with our own index")
    for name in found.disagreeing:
        click.echo(f"  {name} differs")

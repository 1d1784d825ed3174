"""``ml-pipeline promote``: makes a model champion by hand, for a while, and says why."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.site import Site


@click.command()
@click.argument("version")
@click.option("--reason", required=True, help="Why the gate is overruled; it is recorded.")
@click.option("--until", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The last night that it serves.")
@click.pass_obj
def promote(open_site: "Callable[[], Site]", version: str, reason: str, until: datetime) -> None:
    """Make bundle VERSION champion without asking the gate, until a night; after it the champion before serves again."""
    from ml_pipeline.io.model_bundle import BundleError
    from ml_pipeline.operations.promote import promote_by_hand
    from ml_pipeline.operations.publish_catalog import publish_catalog

    site = open_site()
    try:
        done = promote_by_hand(site, version, reason=reason, until=until.date())
    except (BundleError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    publish_catalog(site)
    click.echo(f"{version} is champion (before: {done.champion_before or 'none'}); {done.verdict.reasons[0]}")

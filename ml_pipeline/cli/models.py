"""``ml-pipeline promote``, ``rollback`` and ``rearm``: what a person may overrule, and why it was done."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.nights import Night
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
    except (BundleError, LookupError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    publish_catalog(site)
    click.echo(f"{version} is champion (before: {done.champion_before or 'none'}); {done.verdict.reasons[0]}")


@click.command()
@click.option("--reason", required=True, help="What is wrong with the champion; it is recorded.")
@click.option("--to", default=None, help="Go back to this version, past all that became champion after it.")
@click.option(
    "--repair", "is_repaired", is_flag=True, help="Publish the nights that it scored again, by who serves now."
)
@click.pass_obj
def rollback(open_site: "Callable[[], Site]", reason: str, to: str | None, *, is_repaired: bool) -> None:
    """Withdraw the champion: the version that served before serves again, from the next night to be scored on."""
    from ml_pipeline.io.ledgers import LedgerConflictError
    from ml_pipeline.io.model_bundle import BundleError
    from ml_pipeline.operations.promote import follow_ledger
    from ml_pipeline.operations.publish_catalog import publish_catalog
    from ml_pipeline.operations.rollback import roll_back

    site = open_site()
    try:
        done = roll_back(site, reason=reason, to=to)
    except (BundleError, LedgerConflictError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    publish_catalog(site)
    click.echo(f"{done.champion} is champion again from night {done.effective_from} on")
    for version, nights in done.scored.items():
        scored = (
            f"{len(nights)} published nights, {nights[0]} to {nights[-1]}, stay its" if nights else "scored nothing"
        )
        click.echo(f"{version} is withdrawn; {scored}")
    try:
        follow_ledger(site)
    except Exception as error:
        raise click.ClickException(
            f"all of this is recorded and in force, but MLflow's alias could not follow ({error}); it will at the next "
            "promotion"
        ) from error
    if is_repaired:
        _repair(site, sorted(set().union(*done.scored.values())), reason)


def _repair(site: "Site", nights: "list[Night]", reason: str) -> None:
    from ml_pipeline.operations.repair import repair_nights

    if not nights:
        click.echo("it scored no published night: nothing is to be repaired")
        return
    try:
        repaired = repair_nights(site, nights, reason=reason).published
    except (RuntimeError, LookupError, ValueError) as error:
        raise click.ClickException(
            f"the rollback stands, but its nights could not be published again: {error}"
        ) from error
    click.echo(f"{len(nights)} nights are scored again, {len(repaired.changed)} of them changed, in one commit")


@click.command()
@click.option("--reason", required=True, help="Why the next challenger should fare better; it is recorded.")
@click.option("--night", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The first night that may ask again.")
@click.pass_obj
def rearm(open_site: "Callable[[], Site]", reason: str, night: datetime) -> None:
    """Let the policy ask for retrainings again, after the gate refused so many challengers in a row that it stopped."""
    from ml_pipeline.operations.decide import rearm as rearm_policy

    try:
        number = rearm_policy(open_site(), reason=reason, night=night.date())
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"recorded as entry {number}: from night {night.date()} on the policy may ask again")

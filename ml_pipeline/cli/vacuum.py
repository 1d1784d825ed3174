"""``ml-pipeline vacuum``: lists what nobody needs any more, and removes it when asked to."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.site import Site

_SHOWN = 40


@click.command()
@click.option("--delete", is_flag=True, help="Remove what is listed; needs --reason. Without it nothing is changed.")
@click.option("--reason", default="", help="Why; kept in the ledger vacuums with the names of the files.")
@click.option(
    "--retention-days", default=7, show_default=True, type=click.IntRange(1), help="Replaced files younger than this stay."
)  # fmt: skip
@click.option("--all", "shows_all", is_flag=True, help=f"List every file, not only the first {_SHOWN}.")
@click.pass_obj
def vacuum(open_site: "Callable[[], Site]", *, delete: bool, reason: str, retention_days: int, shows_all: bool) -> None:
    """List files of replaced revisions and of dead writers, with bytes and age, and what is kept and why.

    Live files, what trainings and published nights were made from, and all that was ever said in scores stay.
    """
    from datetime import UTC, datetime, timedelta

    from ml_pipeline.operations.vacuum import plan_vacuum
    from ml_pipeline.operations.vacuum import vacuum as vacuum_site

    if delete and not reason.strip():
        raise click.ClickException("--delete needs --reason: say why the earlier revisions are no longer wanted")
    site, now, retention = open_site(), datetime.now(UTC), timedelta(days=retention_days)
    if delete:
        found = vacuum_site(site, reason=reason, now=now, retention=retention)
    else:
        found = plan_vacuum(site, now=now, retention=retention)
    verb = "removed" if delete else "would remove"
    for each in found.removable if shows_all else found.removable[:_SHOWN]:
        days = each.age / timedelta(days=1)
        click.echo(
            f"{verb} {each.path.relative_to(site.data)}: {each.size_bytes:,} bytes, {days:.1f} days, {each.reason}"
        )
    if not shows_all and len(found.removable) > _SHOWN:
        click.echo(f"... and {len(found.removable) - _SHOWN:,} more; --all lists them")
    for kept in found.kept:
        click.echo(f"kept {kept.files:,} files, {kept.size_bytes:,} bytes: {kept.reason}")
    if not found.is_whole:
        click.echo("somebody is publishing: files of tables were not looked at; try again later")
    total = sum(each.size_bytes for each in found.removable)
    hint = "" if delete or not found.removable else "; --delete --reason ... does it"
    click.echo(f"{verb} {len(found.removable):,} files, {total:,} bytes{hint}")

"""``ml-pipeline recover``: puts in order what a crash left, and says what it found."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.site import Site


@click.command()
@click.pass_obj
def recover(open_site: "Callable[[], Site]") -> None:
    """Record runs that died as failed and remove what they left; every start does so after a crash.

    Nothing published is touched. Safe at any time, also while the pipeline works.
    """
    from ml_pipeline.defs.instance import prepare
    from ml_pipeline.operations.recover import sweep

    site = open_site()
    found = prepare(site, site.data / "dagster_home")
    for run in found.dead:
        click.echo(f"run {run.run_id} of {run.job} was dead: {run.reason}")
    swept = found.swept or sweep(site)
    for path in (*swept.asides, *swept.uncommitted):
        click.echo(f"removed {path.relative_to(site.data)}")
    if not swept.is_whole:
        click.echo("somebody is publishing: files of tables were not looked at; try again later")
    click.echo(
        f"{len(found.dead)} dead runs, {len(swept.asides)} files written aside and {len(swept.uncommitted)} files of no commit "
        f"removed; catalog {'written again' if swept.is_catalog_new else 'up to date'}"
    )

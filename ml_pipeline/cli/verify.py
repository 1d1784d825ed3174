"""``ml-pipeline verify``: compares what was published with its hashes."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.site import Site


@click.command()
@click.pass_obj
def verify(open_site: "Callable[[], Site]") -> None:
    """Hash every published file, bundle and ledger entry. Exit code 1, and the names, if one is not as it was published."""
    from ml_pipeline.operations.verify import verify as verify_site

    site = open_site()
    found = verify_site(site)
    for damage in found.damages:
        click.echo(f"DAMAGED {damage.path.relative_to(site.data)}: {damage.problem}")
    click.echo(
        f"{found.files:,} files of tables, {found.bundles} bundles, {found.entries} ledger entries: "
        f"{len(found.damages)} not as published"
    )
    sys.exit(1 if found.damages else 0)

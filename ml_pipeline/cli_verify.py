"""``ml-pipeline verify``: compares what was published with its hashes."""

import sys

import click

# Where the front door leaves a function that opens the installation: only it reads the settings.
_OPEN_SITE = "ml_pipeline.open_site"


@click.command()
@click.pass_context
def verify(context: click.Context) -> None:
    """Hash every published file, bundle and ledger entry. Exit code 1, and the names, if one is not as it was published."""
    from ml_pipeline.operations.verify import verify as verify_site

    site = context.meta[_OPEN_SITE]()
    found = verify_site(site)
    for damage in found.damages:
        click.echo(f"DAMAGED {damage.path.relative_to(site.data)}: {damage.problem}")
    click.echo(
        f"{found.files:,} files of tables, {found.bundles} bundles, {found.entries} ledger entries: "
        f"{len(found.damages)} not as published"
    )
    sys.exit(1 if found.damages else 0)

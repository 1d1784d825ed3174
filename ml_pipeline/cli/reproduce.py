"""``ml-pipeline reproduce``: makes bundles and scored nights again and says which hashes are equal."""

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.reproduce import Comparison, Reproduction
    from ml_pipeline.operations.site import Site


@click.command()
@click.argument("version", required=False)
@click.option("--night", type=click.DateTime(["%Y-%m-%d"]), help="A scored night instead of a bundle.")
@click.option("--all", "is_all", is_flag=True, help="Every bundle and every scored night.")
@click.pass_obj
def reproduce(open_site: "Callable[[], Site]", version: str | None, night: datetime | None, *, is_all: bool) -> None:
    """Make bundle VERSION, or a scored night, again from its recorded inputs and compare every hash.

    Nothing of the installation is changed. Exit code 1 if anything differs or could not be made again.
    """
    if sum((version is not None, night is not None, is_all)) != 1:
        raise click.UsageError("name one of VERSION, --night or --all")
    site = open_site()
    outcomes = [_told(attempt) for attempt in _attempts(site, version, night)]
    click.echo(f"{len(outcomes)} tried, {outcomes.count(False)} not reproduced")
    sys.exit(0 if outcomes and all(outcomes) else 1)


def _attempts(site: "Site", version: str | None, night: datetime | None) -> "Iterator[Callable[[], Reproduction]]":
    from ml_pipeline.io.model_bundle import MANIFEST
    from ml_pipeline.operations.reproduce import reproduce_bundle, reproduce_night
    from ml_pipeline.operations.score import SCORES

    if version is not None:
        yield partial(reproduce_bundle, site, version)
    elif night is not None:
        yield partial(reproduce_night, site, night.date())
    else:
        for path in sorted(site.models.glob(f"[!.]*/{MANIFEST}")):
            yield partial(reproduce_bundle, site, path.parent.name)
        for scored in site.tables.published(SCORES):
            yield partial(reproduce_night, site, scored)


def _told(attempt: "Callable[[], Reproduction]") -> bool:
    """Print what came of ``attempt``, also if it failed; the others are still tried."""
    try:
        found = attempt()
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        click.echo(f"NOT REPRODUCED: {error}")
        return False
    click.echo(f"{found.subject}: {'reproduced' if found.is_reproduced else 'NOT REPRODUCED'}")
    for reason in found.reasons:
        click.echo(f"  not made again: {reason}")
    shown = found.comparisons if not found.reasons else ()
    for comparison in shown:
        click.echo(f"  {'equal  ' if comparison.is_equal else 'differs'} {comparison.name}{_hashes(comparison)}")
    return found.is_reproduced


def _hashes(comparison: "Comparison") -> str:
    if comparison.is_equal:
        return f" {str(comparison.recorded)[:12]}"
    hashes = {"recorded": comparison.recorded, "found": comparison.found, "rebuilt": comparison.rebuilt}
    return ": " + ", ".join(f"{name} {digest[:12] if digest else 'none'}" for name, digest in hashes.items())

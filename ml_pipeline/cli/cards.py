"""``ml-pipeline card`` and ``ml-pipeline review``: what a model is and what a person should know before trusting it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.io.model_bundle import ModelBundle
    from ml_pipeline.operations.site import Site


@click.command()
@click.argument("version", required=False)
@click.option(
    "--html", "html_path", type=click.Path(dir_okay=False, path_type=Path), help="Write one HTML file instead."
)
@click.option("--no-review", is_flag=True, help="Leave out what has to be computed on the test block.")
@click.pass_context
def card(context: click.Context, version: str | None, html_path: Path | None, *, no_review: bool) -> None:
    """Print the model card of bundle VERSION (the champion, if none is named) with its review and lineage."""
    from ml_pipeline.domain.document import document_markdown
    from ml_pipeline.domain.document_html import document_html
    from ml_pipeline.operations.explain_model import review_model
    from ml_pipeline.operations.model_cards import full_card

    site = _site(context)
    try:
        bundle = _bundle(site, version)
        shown = full_card(site, bundle, None if no_review else review_model(site, bundle))
    except (LookupError, ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    if html_path is None:
        click.echo(document_markdown(shown), nl=False)
        return
    html_path.write_text(document_html(shown), encoding="utf-8")
    click.echo(f"{bundle.version}: {html_path}")


@click.command()
@click.argument("version", required=False)
@click.option("--night", type=click.DateTime(["%Y-%m-%d"]), help="The champion of this night instead of a bundle.")
@click.pass_context
def review(context: click.Context, version: str | None, night: datetime | None) -> None:
    """Print importance, ablation, worst mistakes and behaviour of bundle VERSION (the champion, if none is named)."""
    from ml_pipeline.domain.model_review import review_markdown
    from ml_pipeline.operations.explain_model import review_model

    if version is not None and night is not None:
        raise click.UsageError("name VERSION or --night, not both")
    site = _site(context)
    try:
        found = review_model(site, night.date() if night is not None else _bundle(site, version))
    except (LookupError, ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(review_markdown(found), nl=False)


def _site(context: click.Context) -> "Site":
    open_site: Callable[[], Site] = context.obj
    return open_site()


def _bundle(site: "Site", version: str | None) -> "ModelBundle":
    from ml_pipeline.io.model_bundle import read_bundle
    from ml_pipeline.operations.promote import current_champion

    named = version or current_champion(site)
    if named is None:
        raise LookupError("there is no champion yet; name a bundle, or train and promote one first")
    return read_bundle(site.models, named)

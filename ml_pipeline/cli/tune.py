"""``ml-pipeline tune`` and ``ml-pipeline recalibrate``: better parameters, or the same trees with a newer calibrator."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.site import Site

_NIGHT = click.option("--night", required=True, type=click.DateTime(["%Y-%m-%d"]), help="As of which night.")


@click.command()
@_NIGHT
@click.pass_obj
def tune(open_site: "Callable[[], Site]", night: datetime) -> None:
    """Search parameters by walk-forward folds as of a night; trainings of that night and later ones use the choice."""
    from dataclasses import replace

    from ml_pipeline.operations.tune import tune as search

    site = replace(open_site(), progress=click.echo)
    try:
        tuning = search(site, night.date())
    except (ValueError, LookupError) as error:
        raise click.ClickException(str(error)) from error
    record = tuning.record
    for trial in sorted(record["trials"], key=lambda one: float(one["log_loss"])):
        click.echo(_line(trial, record))
    for reason in record["reasons"]:
        click.echo(reason)
    ended = ", ended early by its budget" if record["is_ended_early"] else ""
    click.echo(f"{'recorded' if tuning.is_new else 'recorded before'}: {len(record['trials'])} trials{ended}")


@click.command()
@_NIGHT
@click.option("--version", help="The bundle whose trees are kept; without it the champion.")
@click.pass_obj
def recalibrate(open_site: "Callable[[], Site]", night: datetime, version: str | None) -> None:
    """Keep the trees of the champion, fit its calibrator on the newest matured nights, and ask the gate."""
    from ml_pipeline.io.model_bundle import BundleError
    from ml_pipeline.operations.promote import current_champion, promote_if_better
    from ml_pipeline.operations.publish_catalog import publish_catalog
    from ml_pipeline.operations.recalibrate import recalibrate as fit_anew

    site = open_site()
    kept = version or current_champion(site)
    if kept is None:
        raise click.ClickException("there is no champion to recalibrate; materialise trained_model and promotion first")
    try:
        made = fit_anew(site, kept, night.date())
        outcome = promote_if_better(site, made.bundle.version, night.date())
    except (BundleError, ValueError, LookupError) as error:
        raise click.ClickException(str(error)) from error
    publish_catalog(site)
    click.echo(f"{made.bundle.version}: the trees of {kept}{'' if made.is_new else ', made before'}")
    click.echo(f"{'promoted' if outcome.verdict.is_promoted else 'not promoted'}: {'; '.join(outcome.verdict.reasons)}")


def _line(trial: dict[str, Any], record: dict[str, Any]) -> str:
    marks = [name for name in ("chosen", "best") if record[name] == trial["trial"]]
    told = ", ".join(f"{name} {value}" for name, value in sorted(trial["parameters"].items())) or "the project's own"
    return f"{trial['log_loss']:.5f}  trial {trial['trial']:>3}  {' '.join(marks):11}  {told}"

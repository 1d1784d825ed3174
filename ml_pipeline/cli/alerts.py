"""``ml-pipeline alerts``: what was raised, whether it was delivered, and a try of the channels."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.deliver_alerts import Delivered
    from ml_pipeline.operations.site import Site


@click.group()
def alerts() -> None:
    """Alerts that were raised, and their channels (setting ML_PIPELINE_ALERT_CHANNELS)."""


@alerts.command("list")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1), help="So many of the newest.")
@click.pass_obj
def listed(open_site: "Callable[[], Site]", last: int) -> None:
    """The newest alerts, each with its runbook and the channels that took it."""
    from ml_pipeline.io.alerts import ALERTS
    from ml_pipeline.operations.deliver_alerts import DELIVERIES

    site = open_site()
    took: dict[str, list[str]] = {}
    for entry in site.ledger(DELIVERIES).entries():
        if entry["is_delivered"]:
            took.setdefault(entry["key"], []).append(entry["channel"])
    for alert in site.ledger(ALERTS).entries()[-last:]:
        channels = ", ".join(took.get(str(alert.get("key")), [])) or "no channel"
        click.echo(
            f"{alert['number']:>5}  {alert['recorded_at'][:19]}  {alert['severity']:<8}  {alert['title']}  night {alert['night']}"
        )
        click.echo(f"       {alert.get('runbook', '')}  (taken by {channels})")


@alerts.command()
@click.pass_obj
def deliver(open_site: "Callable[[], Site]") -> None:
    """Send now what the channels have not taken yet."""
    _deliver(open_site())


@alerts.command()
@click.pass_obj
def test(open_site: "Callable[[], Site]") -> None:
    """Raise an advisory test alert and send it."""
    from datetime import UTC, datetime

    from ml_pipeline.io.alerts import ALERTS, raise_alert

    site = open_site()
    detail = f"The channels work if you read this; asked for at {datetime.now(UTC).isoformat(timespec='seconds')}."
    raise_alert(site.ledger(ALERTS), severity="advisory", title="this is a test", night="", detail=detail)
    _deliver(site)


def _deliver(site: "Site") -> None:
    from ml_pipeline.operations.deliver_alerts import deliver_alerts

    if not site.channels:
        raise click.ClickException(
            "no channel is set; write one into ML_PIPELINE_ALERT_CHANNELS, see ml_pipeline/RUNBOOKS.md"
        )
    done: Delivered = deliver_alerts(site.data, site.channels, project=site.project.name)
    click.echo(f"{done.sent} sent through {len(site.channels)} channels")
    if done.failed:
        raise click.ClickException("; ".join(f"{name}: {reason}" for name, reason in done.failed.items()))

"""``ml-pipeline replay``: the past nights as they would have been operated."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.site import Site


@click.command()
@click.option(
    "--policy",
    "policies",
    multiple=True,
    help="Only this policy: drift, never, monthly or recalibrate. May be given again.",
)
@click.option(
    "--incidents/--no-incidents",
    default=True,
    help="Whether the project's incidents are injected, in a replay of their own, beside the drift policy without them.",
)
@click.pass_obj
def replay(open_site: "Callable[[], Site]", *, policies: tuple[str, ...], incidents: bool) -> None:
    """Operate the project's nights under several policies and write the page that compares them."""
    from ml_pipeline.defs.default_run import StageFailedError
    from ml_pipeline.defs.instance import open_instance, prepare
    from ml_pipeline.defs.replay_run import run_replay_stages
    from ml_pipeline.domain.replay_policies import POLICIES, policy_named
    from ml_pipeline.operations.run_replay import report_path

    site = open_site()
    home = site.data / "dagster_home"
    try:
        asked = tuple(policy_named(name) for name in policies) or POLICIES
        prepare(site, home)
        with open_instance(home) as instance:
            run_replay_stages(site, instance, click.echo, asked, with_incidents=incidents)
    except (StageFailedError, LookupError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"\nThe page: {report_path(site)}")

"""``ml-pipeline scores``: what is stale and why, what is held, what was said before, and how to put it right."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ml_pipeline.operations.score import ScoredNights
    from ml_pipeline.operations.site import Site

_DAY = click.DateTime(["%Y-%m-%d"])
_REVISIONS = """
select revision, published_at, count(*) as rows, any_value(model_version) as model_version,
    any_value(served_by) as served_by, any_value(backfill_policy) as policy, round(avg(probability), 4) as mean_probability,
    (select count(*) from score_restatements as changed
     where changed.score_date = said.score_date and changed.revision = said.revision) as rows_changed
from score_revisions as said where score_date = ? group by score_date, revision, published_at order by revision
"""


@click.group()
def scores() -> None:
    """Published scores: stale, held, earlier revisions, repair."""


def _range(command: Any) -> Any:
    command = click.option("--until", type=_DAY, help="The last night; the newest published one if left out.")(command)
    return click.option("--from", "first", type=_DAY, help="The first night; the oldest published one if left out.")(
        command
    )


@scores.command()
@_range
@click.pass_obj
def stale(open_site: "Callable[[], Site]", first: datetime | None, until: datetime | None) -> None:
    """List the nights whose inputs changed since they were scored, with what changed."""
    from ml_pipeline.operations.stale_scores import explain_stale, policies_of

    with _told_plainly():
        site = open_site()
        nights = _nights(site, first, until)
        found = [
            stale for policy, its_nights in policies_of(site, nights).items()
            for stale in explain_stale(site, its_nights, policy)
        ]  # fmt: skip
    for one in sorted(found, key=lambda one: one.night):
        click.echo(f"{one.night}  {'; '.join(one.reasons)}" + (f"  (left alone: {one.settled})" if one.settled else ""))
    click.echo(f"{len(found)} of {len(nights)} nights are stale")


@scores.command()
@_range
@click.option(
    "--policy", help="as_of, current or pinned=VERSION, for all of the nights; else each keeps the one it has."
)
@click.option(
    "--replace", is_flag=True, help="With --policy: also nights that stand under another one, or were restored."
)
@click.pass_obj
def rescore(
    open_site: "Callable[[], Site]", *, first: datetime | None, until: datetime | None, policy: str | None, replace: bool
) -> None:  # fmt: skip
    """Score the nights again whose inputs changed; unchanged ones are left alone."""
    from ml_pipeline.contracts.serving import parse_policy
    from ml_pipeline.operations.repair import rescore_stale
    from ml_pipeline.operations.score import score

    if replace and policy is None:
        raise click.UsageError("--replace needs --policy: say which policy the nights are to have")
    with _told_plainly():
        site = open_site()
        nights = _nights(site, first, until)
        done = (
            rescore_stale(site, nights)
            if policy is None
            else [score(site, nights, policy=parse_policy(policy), replaces=replace)]
        )
    if not done:
        click.echo("Nothing was stale: nothing was changed.")
    for one in done:
        _echo(one)


@scores.command()
@click.option("--night", required=True, type=_DAY)
@click.option("--reason", required=True, help="What was looked at; it is recorded.")
@click.pass_obj
def accept(open_site: "Callable[[], Site]", night: datetime, reason: str) -> None:
    """Let the held scores of a night be published by its next scoring."""
    from ml_pipeline.operations.score_audit import accept_held

    with _told_plainly():
        inputs_hash = accept_held(open_site(), night.date(), reason=reason)
    click.echo(f"night {night.date()} is accepted as made from {inputs_hash[:12]}; score it again to publish it")


@scores.command()
@click.option("--night", required=True, type=_DAY)
@click.option("--until", type=_DAY, help="The last night, if it is a range.")
@click.option("--revision", required=True, type=int, help="As ml-pipeline scores revisions lists them.")
@click.option("--reason", required=True, help="Why the earlier answer is the better one; it is recorded.")
@click.pass_obj
def restore(
    open_site: "Callable[[], Site]", night: datetime, until: datetime | None, revision: int, reason: str
) -> None:  # fmt: skip
    """Roll nights back to what an earlier revision said, without computing anything."""
    from ml_pipeline.nights import nights_between
    from ml_pipeline.operations.repair import restore_revision

    nights = nights_between(night.date(), (until or night).date())
    with _told_plainly():
        result = restore_revision(open_site(), nights, revision, reason=reason)
    click.echo(
        f"{len(result.changed)} of {len(nights)} nights hold revision {revision} again, as revision {result.version}; the "
        "others held it already"
    )


@scores.command()
@click.argument("version")
@click.option("--reason", required=True, help="Why they are published again; it is recorded.")
@click.pass_obj
def repair(open_site: "Callable[[], Site]", version: str, reason: str) -> None:
    """Publish the nights that bundle VERSION scored again, by the champion that now holds."""
    from ml_pipeline.operations.repair import repair_nights
    from ml_pipeline.operations.rollback import nights_scored_by

    with _told_plainly():
        site = open_site()
        nights = nights_scored_by(site, version)
        if not nights:
            raise LookupError(f"no published night was scored by {version}")
        _echo(repair_nights(site, nights, reason=reason))


@scores.command()
@click.option("--night", required=True, type=_DAY)
@click.pass_obj
def revisions(open_site: "Callable[[], Site]", night: datetime) -> None:
    """List what was said of a night, when, and by which model."""
    from ml_pipeline.io.catalog import WAREHOUSE
    from ml_pipeline.io.duckdb_connections import analyst_connection

    warehouse = open_site().data / WAREHOUSE
    if not warehouse.exists():
        raise click.ClickException(f"{warehouse} is not there yet; make run builds it")
    with analyst_connection(warehouse) as connection:
        connection.sql(_REVISIONS, params=[night.date()]).show(max_width=200, max_rows=200)


@scores.command()
@click.option("--night", required=True, type=_DAY, help="By the labels known to this night.")
@click.pass_obj
def shadow(open_site: "Callable[[], Site]", night: datetime) -> None:
    """Say how the challenger in the shadow compares with the champion."""
    from ml_pipeline.operations.shadow_evidence import shadow_evidence

    with _told_plainly():
        evidence = shadow_evidence(open_site(), night.date())
    click.echo(f"challenger {evidence.challenger or 'none'}, champion {evidence.champion or 'none'}")
    for reason in evidence.reasons:
        click.echo(f"  {reason}")


def _nights(site: "Site", first: datetime | None, until: datetime | None) -> "Sequence[date]":
    from ml_pipeline.nights import nights_between
    from ml_pipeline.operations.score import SCORES

    published = site.tables.published(SCORES)
    if not published and (first is None or until is None):
        raise LookupError("nothing has been scored yet; name --from and --until, or make run first")
    start = first.date() if first else min(published)
    return nights_between(start, until.date() if until else max(*published, start))


def _echo(done: "ScoredNights") -> None:
    click.echo(
        f"{len(done.published.changed)} nights published, {len(done.published.unchanged)} unchanged, scores revision "
        f"{done.published.version}"
    )
    for night in done.published.changed:
        served = done.served_by_night[night]
        click.echo(f"  {night}  {served.rung} {served.version}  {served.policy}")
    for night, reason in sorted(done.settled.items()):
        click.echo(f"  {night}  left alone: {reason}")


@contextmanager
def _told_plainly() -> Iterator[None]:
    """A refusal is one line at the terminal, not a traceback."""
    from ml_pipeline.operations.publish_scores import OvertakenError
    from ml_pipeline.operations.score_audit import ScoreAuditError

    try:
        yield
    except (ScoreAuditError, OvertakenError, LookupError, ValueError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error

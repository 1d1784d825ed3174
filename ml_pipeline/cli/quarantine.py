"""``ml-pipeline quarantine`` and ``ml-pipeline hold``: what did not land, and a person's word on it."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from ml_pipeline.nights import Night
    from ml_pipeline.operations.quarantine import Released
    from ml_pipeline.operations.site import Site

Answer = TypeVar("Answer")
_NIGHT = click.DateTime(["%Y-%m-%d"])


@click.group()
def quarantine() -> None:
    """Rows that broke their contract."""


@quarantine.command(name="list")
@click.argument("source", required=False)
@click.pass_obj
def list_rows(open_site: "Callable[[], Site]", source: str | None) -> None:
    """Count what is in quarantine, by source, night and rule."""
    from ml_pipeline.operations.quarantine import quarantined

    site = open_site()
    counted = Counter(
        (row.source, row.night, rule)
        for name in ([source] if source else site.sql.sources)
        for row in _found(partial(quarantined, site, name))
        for rule in row.rules
    )
    for (name, night, rule), count in sorted(counted.items()):
        click.echo(f"{name:24} {night}  {count:>6} rows  {rule}")
    if not counted:
        click.echo("nothing is in quarantine")


@quarantine.command()
@click.argument("source")
@click.argument("night", type=_NIGHT, metavar="NIGHT")
@click.option("--limit", default=20, show_default=True, help="How many rows to show.")
@click.pass_obj
def show(open_site: "Callable[[], Site]", source: str, night: datetime, limit: int) -> None:
    """Show the rows of SOURCE that NIGHT set aside: number, rules, values. Personal values are not shown."""
    from ml_pipeline.operations.quarantine import quarantined

    rows = _found(lambda: quarantined(open_site(), source, night.date()))
    for row in rows[:limit]:
        where = f", released into {row.released_into}" if row.released_into else ""
        click.echo(f"row {row.row}{where}: {'; '.join(row.rules)}")
        click.echo(f"    {json.dumps(row.values, sort_keys=True)}")
    click.echo(f"{len(rows)} rows of {source} are in the quarantine of {night.date()}")


@quarantine.command()
@click.argument("source")
@click.argument("night", type=_NIGHT, metavar="NIGHT")
@click.option("--row", "rows", type=int, multiple=True, required=True, help="A row's number; give it once a row.")
@click.option("--reason", required=True, help="Why the rows are right after all; it is recorded.")
@click.option(
    "--into", type=_NIGHT, metavar="NIGHT", help="The night that lands them; else the first that is not landed yet."
)
@click.option("--restate", is_flag=True, help="Let that night be one that is landed: it will know the rows after all.")
@click.pass_obj
def release(  # noqa: PLR0917 - click hands them over by name
    open_site: "Callable[[], Site]", source: str, night: datetime, rows: tuple[int, ...], reason: str, into: datetime | None,
    restate: bool,  # noqa: FBT001
) -> None:  # fmt: skip
    """Release rows of SOURCE from the quarantine of NIGHT: they land as known at the cutoff of a later night."""
    from ml_pipeline.operations.publish_catalog import publish_catalog
    from ml_pipeline.operations.quarantine import release as release_rows

    site = open_site()
    done = _found(
        lambda: release_rows(
            site, source, night.date(), rows, reason=reason, into=into.date() if into else None, restate=restate
        )
    )
    if done.is_landed:
        publish_catalog(site)
    click.echo(_told(done))


@click.group()
def hold() -> None:
    """Deliveries that are not as usual and wait for a person's yes."""


@hold.command(name="list")
@click.pass_obj
def list_holds(open_site: "Callable[[], Site]") -> None:
    """List what was held: open, or accepted and why."""
    from ml_pipeline.operations.holds import hold_ledger

    ledger = hold_ledger(open_site())
    accepted = ledger.accepted()
    for id_, held in ledger.holds().items():
        state = f"accepted: {accepted[id_]}" if id_ in accepted else "open"
        click.echo(f"{id_}  {held.source}, {held.what}: {'; '.join(held.reasons)} ({state})")
    if not ledger.holds():
        click.echo("nothing is held")


@hold.command()
@click.argument("hold_id")
@click.option("--reason", required=True, help="Why the delivery is right; it is recorded.")
@click.pass_obj
def accept(open_site: "Callable[[], Site]", hold_id: str, reason: str) -> None:
    """Say yes to the delivery held as HOLD_ID, and to nothing else; then land the night again."""
    from ml_pipeline.operations.holds import hold_ledger

    held = _found(lambda: hold_ledger(open_site()).accept(hold_id, reason))
    click.echo(f"{held.source}, {held.what}: accepted; run the night again")


def _told(done: "Released") -> str:
    one = done.release
    landed = "landed" if done.is_landed else "will land with it"
    lines = [
        f"{len(one.rows)} rows of {one.source} from {one.quarantined_on} are released into {one.released_on}: {landed}"
    ]
    for what, nights in (("features", done.stale_features), ("scores", done.stale_scores)):
        if nights:
            lines.append(f"stale {what}: {len(nights)} nights, {_span(nights)}; run them again")
    return "\n".join(lines)


def _span(nights: "tuple[Night, ...]") -> str:
    return str(nights[0]) if len(nights) == 1 else f"{nights[0]} to {nights[-1]}"


def _found(work: Callable[[], Answer]) -> Answer:
    """What ``work`` gives; a refusal becomes one line without a traceback."""
    try:
        return work()
    except (LookupError, ValueError, RuntimeError) as error:
        raise click.ClickException(str(error).strip("'\"")) from error

"""``ml-pipeline export | explain | data-docs``: what analysts ask for that is more than a query."""

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ml_pipeline.io.gated_rows import VisibleRows
    from ml_pipeline.operations.explain_score import Explanation
    from ml_pipeline.operations.site import Site

_NIGHT = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("asked", metavar="SQL|VIEW")
@click.option("--to", "target", required=True, type=click.Path(dir_okay=False, path_type=Path), help=".csv or .xlsx")
@click.option(
    "--max-rows", default=1_000_000, show_default=True, help="More rows than these are refused, never cut off."
)
@click.pass_obj
def export(open_site: "Callable[[], Site]", asked: str, target: Path, max_rows: int) -> None:
    """Write a view, or the answer to one select, to a file for a spreadsheet; text that could be a formula is defused."""
    import duckdb

    from ml_pipeline.io.catalog import WAREHOUSE
    from ml_pipeline.io.exports import ExportRefusedError
    from ml_pipeline.io.exports import export as export_answer

    warehouse = open_site().data / WAREHOUSE
    if not warehouse.exists():
        raise click.ClickException(f"{warehouse} is not there yet; make run builds it")
    try:
        rows = export_answer(warehouse, asked, target, most_rows=max_rows)
    except (ExportRefusedError, duckdb.Error, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: {rows:,} rows")


@click.command()
@click.option("--key", required=True, help="column=value of one row; several, with commas, as many as it takes.")
@click.option("--night", required=True, type=_NIGHT, help="The scored night.")
@click.option(
    "--features", "leading", default=5, show_default=True, help="Features shown with the landed rows behind them."
)
@click.option("--rows", "most_rows", default=3, show_default=True, help="Landed rows shown of each source.")
@click.pass_obj
def explain(open_site: "Callable[[], Site]", key: str, night: datetime, leading: int, most_rows: int) -> None:
    """Explain one published score, and make it again from its recorded inputs: exit code 1 if that gives another."""
    from ml_pipeline.io.model_bundle import BundleError
    from ml_pipeline.operations.explain_score import explain_score

    try:
        wanted = _key(key)
        found = explain_score(open_site(), night.date(), wanted, leading=leading, most_rows=most_rows)
    except (BundleError, LookupError, ValueError, OSError) as error:
        raise click.ClickException(error.args[0] if isinstance(error, LookupError) else str(error)) from error
    for line in _told(found, leading):
        click.echo(line)
    sys.exit(0 if found.is_exact or found.note else 1)


def _key(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name.strip() and sign for name, sign, _ in pairs):
        raise ValueError(f"--key {text}: write column=value, several with commas")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _told(found: "Explanation", leading: int) -> Iterator[str]:
    row = found.published
    named = ("score_date", "score", "probability", "rank", "decision", "threshold", "served_by", "model_version",
             "feature_set_version", "reason_1", "reason_2", "reason_3")  # fmt: skip
    own = [name for name in row if name not in named]
    yield "published: " + ", ".join(f"{name}={row[name]}" for name in own)
    for name in named:
        yield f"  {name:20} {row[name]!r}" if isinstance(row[name], float) else f"  {name:20} {row[name]}"
    yield f"published at {found.published_at.isoformat()} from these versions of tables:"
    yield from (f"  {name:40} {version}" for name, version in sorted(found.versions.items()))
    if found.note:
        yield f"not explained: {found.note}"
        return
    yield f"contributions (log odds): {found.base:+.6f} base, then"
    for feature in found.features[:leading]:
        yield f"  {feature.contribution:+.6f} {feature.name} = {feature.value}: {feature.description} Window: {feature.window}."
        for rows in feature.rows:
            yield from _rows(rows)
    rest = found.features[leading:]
    yield f"  {sum(each.contribution for each in rest):+.6f} from the other {len(rest)} features:"
    yield from (f"    {each.contribution:+.6f} {each.name} = {each.value}" for each in rest)
    total = found.base + sum(each.contribution for each in found.features)
    yield f"  {total:+.6f} in all: score {row['score']!r}, calibrated to probability {row['probability']!r}"
    verdict = "equal, bit by bit" if found.is_exact else f"DIFFERENT in {', '.join(found.differing)}"
    yield f"made again from these versions: {verdict}"
    again = found.recomputed or {}
    yield from (f"  {name}: published {row[name]!r}, made again {again.get(name)!r}" for name in found.differing)


def _rows(rows: "VisibleRows") -> Iterator[str]:
    within = f"{rows.lookback_days} days" if rows.lookback_days else "reference"
    agreeing = f", {rows.matching_rows:,} with the same {', '.join(rows.matched_by)}" if rows.matched_by else ""
    yield f"      {rows.source} (version {rows.version}, {within}): {rows.rows:,} rows known{agreeing}"
    yield from ("        " + ", ".join(f"{name}={value}" for name, value in row.items()) for row in rows.newest)


@click.command("data-docs")
@click.option("--night", required=True, type=_NIGHT, help="The scored night.")
@click.pass_obj
def data_docs(open_site: "Callable[[], Site]", night: datetime) -> None:
    """Judge a night by Great Expectations too and write its Data Docs; exit code 1 if it is blocked or the two differ."""
    from ml_pipeline.io.model_bundle import BundleError
    from ml_pipeline.operations.data_docs import write_docs
    from ml_pipeline.operations.expect import judge_expectations

    site = open_site()
    try:
        (judged,) = judge_expectations(site, [night.date()]).by_night.values()
        docs = write_docs(site, night.date(), judged)
    except (BundleError, LookupError, ValueError) as error:
        raise click.ClickException(error.args[0] if isinstance(error, LookupError) else str(error)) from error
    for each in judged:
        blocking = sum(one.bound.severity == "blocking" for one in each.unmet)
        warnings = len(each.unmet) - blocking
        click.echo(
            f"{each.asset.name}: {len(each.judgements)} expectations, {blocking} blocking and {warnings} warnings not met"
        )
        for one in each.unmet:
            click.echo(f"  {one.in_words}")
    for text in docs.disagreements:
        click.echo(f"DISAGREEMENT: {text}")
    click.echo(f"{docs.index}")
    sys.exit(1 if docs.disagreements or any(each.is_blocked for each in judged) else 0)

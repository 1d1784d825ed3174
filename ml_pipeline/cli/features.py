"""``ml-pipeline features``: the feature catalogue, and where each feature comes from."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ml_pipeline.io.sql_column_reads import SourceColumn
    from ml_pipeline.io.sql_project import SqlProject
    from ml_pipeline.operations.site import Site

_PERSONAL = " (personal data)"


@click.group()
def features() -> None:
    """The feature catalogue."""


@features.command("list")
@click.pass_obj
def list_features(open_site: "Callable[[], Site]") -> None:
    """Every feature: its model, the window that it looks at, its unit, and its declared direction."""
    sql = open_site().sql
    catalogue = _catalogue(sql)
    click.echo(f"{len(catalogue)} features, version {sql.feature_set_version}")
    for name, (model, column) in catalogue.items():
        unit = column.type if column.type == "category" else column.unit
        click.echo(f"  {name:45} {model.name:28} {column.window:18} {unit:22} {column.direction or ''}".rstrip())


@features.command("show")
@click.argument("name")
@click.pass_obj
def show_feature(open_site: "Callable[[], Site]", name: str) -> None:
    """One feature: what it means, what is tested, the sources it is made from with their lookbacks, and its SQL."""
    sql = open_site().sql
    model, column = _found(sql, name)
    reads = sql.lookbacks(sql.needed_for([model.name]))
    click.echo(f"{column.name}: {column.description} Window: {column.window}; unit: {column.unit or column.type}.")
    if column.pii:
        click.echo("personal data: yes")
    click.echo(f"tests: {', '.join(map(_test, column.tests)) or 'none'}")
    click.echo(f"sources: {', '.join(f'{source} ({_lookback(days)})' for source, days in reads.items())}")
    click.echo(f"model: {model.path}, {sql.contracts[model.name].grain}\n\n{model.text}")


@features.command("lineage")
@click.argument("name")
@click.pass_obj
def show_lineage(open_site: "Callable[[], Site]", name: str) -> None:
    """One feature: the models and the source columns that it is computed from, and those that choose its rows."""
    from ml_pipeline.io.sql_lineage import column_lineage

    sql = open_site().sql
    model, column = _found(sql, name)
    try:
        lineage = column_lineage(sql, model.name, name)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    is_personal = column.pii or lineage.has_pii
    click.echo(f"{name}{_PERSONAL if is_personal else ''}: {column.description}\n{' <- '.join(lineage.models)}")
    sources = {each.source for each in (*lineage.columns, *lineage.filtered_by)}
    for source in sorted(
        sources, key=lambda source: (source not in sql.sources, source)
    ):  # the calendar closes the list
        values = [each for each in lineage.columns if each.source == source]
        chosen = [each for each in lineage.filtered_by if each.source == source]
        click.echo(f"  {source}{_known(sql, source, [*values, *chosen])}")
        for line in (*_columns("computed from", values), *_columns("rows chosen by", chosen)):
            click.echo(line)


def _known(sql: "SqlProject", source: str, columns: "list[SourceColumn]") -> str:
    if source not in sql.sources:
        return ""
    days = max((each.lookback_days or 0) for each in columns)
    return f", {_lookback(days)}, known {sql.sources[source].known_when}"


def _columns(role: str, columns: "list[SourceColumn]") -> Iterator[str]:
    if columns:
        names = [
            f"{'its rows' if each.column == '*' else each.column}{_PERSONAL if each.is_pii else ''}" for each in columns
        ]
        yield f"    {role:14} {', '.join(names)}"


def _lookback(days: int | None) -> str:
    return f"{days} days" if days else "reference"


def _test(test: Any) -> str:
    """A test of a column as its YAML says it."""
    if isinstance(test, str):
        return test
    return str(test.model_dump(mode="json", exclude_none=True)).replace("'", "")


def _found(sql: "SqlProject", name: str) -> tuple[Any, Any]:
    if name not in (catalogue := _catalogue(sql)):
        raise click.ClickException(f"there is no feature {name}; ml-pipeline features list names them all")
    return catalogue[name]


def _catalogue(sql: "SqlProject") -> dict[str, tuple[Any, Any]]:
    """Model and contract of each feature by name, in the order of the table."""
    return {
        column.name: (model, column)
        for model in sql.in_folder("features")
        for column in sql.contracts[model.name].columns
    }

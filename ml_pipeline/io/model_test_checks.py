"""Checks the tests of a model when its project is loaded, so that no night is the first to find out that one cannot run."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from ml_pipeline.contracts.source import KNOWN_ON, SCORE_DATE
from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.contracts.sql_tests import Relationships, TrueExpression, UniqueTogether
from ml_pipeline.io.sql_checks import refuse_unsafe
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of

# The gate adds them to the rows of a model that is computed per landing.
_CLOCKS = frozenset({SCORE_DATE, "cutoff_at", KNOWN_ON})
_FORBIDDEN = (
    ((exp.Query, exp.Table), "reads a table"),
    ((exp.AggFunc, exp.Window), "looks at more than one row"),
    ((exp.Star,), "means columns without naming them"),
    ((exp.Placeholder, exp.Parameter), "has a parameter"),
)


def check_model_tests(model: SqlModel, contract: ModelContract, models: Mapping[str, SqlModel]) -> None:
    """Refuse tests that could not run, or that could see more than the rows of ``model``.

    Args:
        model: a parsed and safe model.
        contract: what its YAML says.
        models: all models of the project, by name.

    Raises:
        SqlRefusedError: a test or a declared column names a column or a model that is not there, or an expression is
            not one boolean expression over the columns of one row.
    """
    if model.folder != "features":  # there the runner compares the declared columns with those that were built
        for column in contract.columns:
            _require_column(model, contract, column.name, "is declared")
    for test in contract.tests:
        if isinstance(test, UniqueTogether):
            for name in test.unique:
                _require_column(model, contract, name, f"is part of the test unique [{', '.join(test.unique)}]")
        else:
            _refuse_expression(model, test, _columns_of(model, contract))
    for column in contract.columns:
        for column_test in column.tests:
            if isinstance(column_test, Relationships):
                _refuse_relationship(model, column.name, column_test, models)


@lru_cache(maxsize=512)
def _selected(sql: str) -> frozenset[str] | None:
    """Names of the columns that a select gives, in lower case; None where only the database can say."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    if not isinstance(query, exp.Query) or query.is_star or not all(query.named_selects):
        return None
    return frozenset(name.lower() for name in query.named_selects)


def _columns_of(model: SqlModel, contract: ModelContract) -> frozenset[str] | None:
    selected = _selected(model.sql)
    return selected | _CLOCKS if selected and contract.computed_per == "landing" else selected


def _require_column(model: SqlModel, contract: ModelContract, name: str, role: str) -> None:
    columns = _columns_of(model, contract)
    if columns is not None and name not in columns:
        raise SqlRefusedError(
            model.path, 1, f"{name} {role} in the .yml file of {model.folder}/, but {model.name} has no such column",
            f"it has {sorted(columns)}",
        )  # fmt: skip


def _refuse_relationship(model: SqlModel, column: str, test: Relationships, models: Mapping[str, SqlModel]) -> None:
    other, name = models.get(test.relationships.to), test.relationships.column
    says, line = f"the test relationships of {column}", line_of(model.text, column)
    if other is None:
        raise SqlRefusedError(
            model.path, line, f"{says} names {test.relationships.to}, which is no model", f"models are {sorted(models)}"
        )
    if other.folder == "labels" and model.folder != "labels":
        raise SqlRefusedError(
            model.path, line, f"{says} names {other.name}, a label model", "relate it to a model of another folder"
        )
    selected = _selected(other.sql)
    if selected is not None and name not in selected | _CLOCKS:
        raise SqlRefusedError(
            model.path,
            line,
            f"{says} names column {name}, which {other.name} does not have",
            f"it has {sorted(selected)}",
        )


def _refuse_expression(model: SqlModel, test: TrueExpression, columns: Collection[str] | None) -> None:
    try:
        # Parsed alone first: a bracket that closes too early must not let the rest out of the select it is put into.
        parsed = sqlglot.parse(test.expression, dialect="duckdb")
        reason = next(_reasons(parsed, model, columns), None)
        if reason is None:
            refuse_unsafe(_as_model(model, test.expression))
    except SqlglotError as error:
        found = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        reason = f"cannot be parsed ({found.get('description') or str(error).splitlines()[0]})"
    except SqlRefusedError as error:
        reason = f"is unsafe: {str(error).removeprefix(f'{error.path}, line {error.line}: ').removesuffix('.')}"
    if reason is not None:
        raise SqlRefusedError(
            model.path, 1, f"the test expression '{test.expression}' {reason}",
            f"write one boolean expression over the columns of one row in the .yml file of {model.folder}/",
        )  # fmt: skip


def _as_model(model: SqlModel, expression: str) -> SqlModel:
    # The line break keeps a comment at the end of the expression from hiding the bracket.
    sql = f"select * from {model.name} where (\n{expression}\n)"
    return SqlModel(model.name, model.folder, model.path, sql, sql, sources=(), refs=(model.name,))


def _reasons(
    parsed: Sequence[exp.Expression | None], model: SqlModel, columns: Collection[str] | None
) -> Iterator[str]:
    tree = parsed[0] if len(parsed) == 1 else None
    if not isinstance(tree, exp.Condition):
        yield "is not one expression"
        return
    for kinds, reason in _FORBIDDEN:
        if tree.find(*kinds) is not None:
            yield reason
    arguments = {name.name.lower() for function in tree.find_all(exp.Lambda) for name in function.expressions}
    named = [column for column in tree.find_all(exp.Column) if column.name.lower() not in arguments]
    if not named:
        yield "names no column"
    for column in named:
        known = [part.name.lower() for part in column.parts if part.name.lower() != model.name]
        if columns is not None and known and known[0] not in columns:
            yield f"names {column.sql('duckdb')}, which {model.name} does not have; it has {sorted(columns)}"

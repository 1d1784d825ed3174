"""Runs the tests of a model on the rows that a night, or a range of nights, has just built.

All the tests of a model are counted by one statement. Which rows break them is asked only after one has failed. A missing
value breaks ``not_null`` and no other test, as in dbt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.io.model_test_sql import ModelTestSql, ModelTestWriter
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of

_EXAMPLES = 3


class ModelTestError(SqlRefusedError):
    """Rows of a model break its tests; the message names the test, how many rows, and some of them."""


@dataclass(frozen=True)
class ModelTested:
    """What held: the number of ``tests``, over how many ``rows`` of all the nights together."""

    model: str
    tests: int
    rows: int


def run_model_tests(
    connection: duckdb.DuckDBPyConnection, model: SqlModel, contract: ModelContract, *, key: Sequence[str] = ()
) -> ModelTested:
    """Test the rows of the relation that is called like ``model``.

    Args:
        connection: holds that relation and those of ``contract.related_models``; may be locked down.
        model: whose file and lines errors name.
        contract: its tests, found safe by ``check_model_tests``.
        key: columns that tell a reader which row is meant; shown where the model has them.

    Raises:
        ModelTestError: rows break a test, or a test cannot run; names file, line, test, rows and remedy.
    """
    if not contract.tests and not any(column.tests for column in contract.columns):
        return ModelTested(model.name, 0, 0)
    tests = _written(connection, model, contract, key)
    try:
        rows, *broken = _count(connection, model, [test.broken for test in tests])
    except duckdb.Error:
        _refuse_what_cannot_run(connection, model, tests)
        raise
    failed = [(test, count) for test, count in zip(tests, broken, strict=True) if count]
    if failed:
        raise _failure(connection, model, contract, failed, rows)
    return ModelTested(model.name, len(tests), rows)


def _written(
    connection: duckdb.DuckDBPyConnection, model: SqlModel, contract: ModelContract, key: Sequence[str]
) -> list[ModelTestSql]:
    related: dict[str, list[str]] = {}
    for name in contract.related_models:
        try:
            related[name] = connection.table(name).columns
        except duckdb.CatalogException as error:
            raise ModelTestError(
                model.path, 1, f"its tests relate it to {name}, which is not built with it",
                f"read {name} in a model that is built together with {model.name}, or leave the test away",
            ) from error  # fmt: skip
    return list(ModelTestWriter(contract, connection.table(model.name).columns, related, key).tests())


def _count(connection: duckdb.DuckDBPyConnection, model: SqlModel, aggregates: Sequence[str]) -> tuple[int, ...]:
    """The number of rows, then ``aggregates``."""
    # A result that is not fetched to its end blocks the connection, so not fetchone().
    ((*counts,),) = connection.execute(f'select {", ".join(["count(*)", *aggregates])} from "{model.name}"').fetchall()
    return tuple(count or 0 for count in counts)  # count_if of nothing but missing values is missing


def _refuse_what_cannot_run(
    connection: duckdb.DuckDBPyConnection, model: SqlModel, tests: Sequence[ModelTestSql]
) -> None:
    for test in tests:
        try:
            _count(connection, model, [test.broken])
        except duckdb.Error as error:
            raise ModelTestError(
                model.path, _line(model, test), f"test {test.says} cannot run: {str(error).splitlines()[0]}",
                f"correct it in the .yml file of {model.folder}/, or cast the column in the model",
            ) from error  # fmt: skip


def _failure(
    connection: duckdb.DuckDBPyConnection, model: SqlModel, contract: ModelContract,
    failed: Sequence[tuple[ModelTestSql, int]], rows: int,
) -> ModelTestError:  # fmt: skip
    (first, count), *others = failed
    hidden = {column.name for column in contract.columns if column.pii}
    found = connection.execute(f"{first.examples} limit {_EXAMPLES}").fetchall()
    examples = "; ".join(_example(first.shown, values, hidden) for values in found)
    also = "".join(f". So does {test.says} ({n:,} rows)" for test, n in others)
    return ModelTestError(
        model.path, _line(model, first),
        f"test {first.says} fails for {count:,} of {rows:,} rows, for example {examples}{also}",
        f"correct the model, or its tests in the .yml file of {model.folder}/ if these rows are right",
    )  # fmt: skip


def _example(names: Sequence[str], values: Sequence[Any], hidden: set[str]) -> str:
    shown = (
        "hidden" if name in hidden else "null" if value is None else value
        for name, value in zip(names, values, strict=True)
    )
    return ", ".join(f"{name} {value}" for name, value in zip(names, shown, strict=True))


def _line(model: SqlModel, test: ModelTestSql) -> int:
    return line_of(model.text, test.column) if test.column else 1

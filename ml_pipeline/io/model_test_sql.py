"""Writes the tests of a model as SQL: for each an aggregate that counts the rows that break it, and a select of them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.contracts.sql_tests import (
    AcceptedRange,
    AcceptedValues,
    ColumnTest,
    Relationships,
    TrueExpression,
    UniqueTogether,
)


@dataclass(frozen=True)
class ModelTestSql:
    """One test.

    Attributes:
        says: the test in words.
        broken: the number of rows that break the test, to stand among the aggregates of a select from the model.
        examples: a select of rows that break it, in a fixed order.
        shown: names of the columns of ``examples``.
        column: what it is about, empty if it is about whole rows.
    """

    says: str
    broken: str
    examples: str
    shown: tuple[str, ...]
    column: str = ""


@dataclass(frozen=True)
class ModelTestWriter:
    """Writes the tests of ``contract``.

    Attributes:
        columns: those that the model has in the database.
        related: the same for each of ``contract.related_models``.
        key: columns that tell a reader which row is meant.
    """

    contract: ModelContract
    columns: Sequence[str]
    related: Mapping[str, Collection[str]]
    key: Sequence[str] = ()

    def tests(self) -> Iterator[ModelTestSql]:
        """Those of the columns in their order, then those of the rows."""
        for column in self.contract.columns:
            for test in column.tests:
                yield self._of_column(column.name, test)
        for row_test in self.contract.tests:
            if isinstance(row_test, UniqueTogether):
                says = _called(row_test.name, f"unique [{', '.join(row_test.unique)}]")
                yield self._unique(says, row_test.unique)
            else:
                yield self._expression(row_test)

    def _of_column(self, name: str, test: ColumnTest) -> ModelTestSql:
        if test == "unique":
            return self._unique(f"unique of {name}", (name,), where=f'where "{name}" is not null', column=name)
        if isinstance(test, AcceptedRange):
            return self._range(name, test)
        if isinstance(test, AcceptedValues):
            values = ", ".join(map(_literal, test.accepted_values))
            return self._rows(f"accepted_values of {name} ({values})", f'"{name}" not in ({values})', [name])
        if isinstance(test, Relationships):
            return self._relationship(name, test)
        return self._rows(f"not_null of {name}", f'"{name}" is null', [name], broken=f'count(*) - count("{name}")')

    def _range(self, name: str, test: AcceptedRange) -> ModelTestSql:
        low, high = test.accepted_range.minimum, test.accepted_range.maximum
        if low is None:
            return self._rows(f"accepted_range of {name} (at most {high})", f'"{name}" > {high}', [name])
        says = f"at least {low}" if high is None else f"{low} to {high}"
        # DuckDB sorts NaN above infinity, so a range that is open above ends there, or it would hold NaN.
        end = "'infinity'::double" if high is None else high
        return self._rows(f"accepted_range of {name} ({says})", f'"{name}" not between {low} and {end}', [name])

    def _relationship(self, name: str, test: Relationships) -> ModelTestSql:
        to, column, mine = test.relationships.to, test.relationships.column, f'"{self.contract.name}"'
        is_same = f'related."{column}" = {mine}."{name}"'
        if SCORE_DATE in self.columns and SCORE_DATE in self.related[to]:
            is_same += f" and related.{SCORE_DATE} = {mine}.{SCORE_DATE}"
        predicate = f'{mine}."{name}" is not null and not exists (select 1 from "{to}" as related where {is_same})'
        return self._rows(f"relationships of {name} (to {to}.{column})", predicate, [name])

    def _expression(self, test: TrueExpression) -> ModelTestSql:
        expression = f"(\n{test.expression}\n)"
        words = set(re.findall(r"\w+", test.expression.lower()))
        return self._rows(
            _called(test.name, f"expression {test.expression}"), f"{expression} = false",
            [column for column in self.columns if column in words],
            # count_if takes nothing but booleans; elsewhere any number but 0 would pass for true.
            broken=f"count({expression}) - count_if({expression})", is_of_column=False,
        )  # fmt: skip

    def _rows(
        self, says: str, predicate: str, named: Sequence[str], *, broken: str = "", is_of_column: bool = True
    ) -> ModelTestSql:
        key = [name for name in (SCORE_DATE, *self.key) if name in self.columns]
        shown = tuple(dict.fromkeys([*key, *named]))
        examples = f'select {_listed(shown)} from "{self.contract.name}" where {predicate} order by all'
        return ModelTestSql(says, broken or f"count_if({predicate})", examples, shown, named[0] if is_of_column else "")

    def _unique(self, says: str, names: Sequence[str], *, where: str = "", column: str = "") -> ModelTestSql:
        night = [SCORE_DATE] if SCORE_DATE in self.columns else []
        keys = tuple(dict.fromkeys([*night, *names]))
        rows = f'from "{self.contract.name}" {where} group by {_listed(keys)} having count(*) > 1'
        broken = f"(select coalesce(sum(copies), 0)::bigint from (select count(*) as copies {rows}))"
        return ModelTestSql(
            says, broken, f"select {_listed(keys)}, count(*) {rows} order by all", (*keys, "rows"), column
        )


def _called(name: str | None, says: str) -> str:
    return f"{name} ({says})" if name else says


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _literal(value: float | str) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)

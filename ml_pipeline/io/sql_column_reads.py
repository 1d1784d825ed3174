"""What one column of one query reads: the walk through its subqueries, unions and common table expressions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlglot import exp

ROWS = "*"


@dataclass(frozen=True, order=True)
class SourceColumn:
    """One column of a source.

    Attributes:
        source: its name, or ``CALENDAR`` of ``sql_lineage`` for what belongs to the night itself.
        column: its name; ``*`` stands for the rows: that they are there is what ``count(*)`` counts.
        lookback_days: the longest with which it is read; None for a reference and for the calendar.
    """

    source: str
    column: str
    lookback_days: int | None = None
    is_pii: bool = False


@dataclass(frozen=True)
class Reads:
    """What a part of a query reads: for its value, for the choice of its rows, and through which models."""

    values: frozenset[SourceColumn] = frozenset()
    filters: frozenset[SourceColumn] = frozenset()
    models: frozenset[str] = frozenset()

    def __or__(self, other: "Reads") -> "Reads":
        return Reads(self.values | other.values, self.filters | other.filters, self.models | other.models)

    def as_filters(self) -> "Reads":
        return Reads(filters=self.values | self.filters)


def together(reads: Iterable[Reads]) -> Reads:
    """All of ``reads``."""
    return reduce(Reads.__or__, reads, Reads())


class ColumnReads:
    """Walks queries whose names sqlglot has resolved.

    Args:
        of_relation: what lies behind a column of a relation, both by name.
        columns_of: the columns of a relation.
    """

    def __init__(self, of_relation: Callable[[str, str], Reads], columns_of: Callable[[str], list[str]]) -> None:
        self._of_relation, self._columns_of = of_relation, columns_of
        self._known: dict[tuple[int, str], Reads] = {}

    def of_output(self, scope: Any, column: str) -> Reads:
        """What the output ``column`` of ``scope`` reads; ``*`` asks for its rows."""
        key = (id(scope), column)
        if key not in self._known:
            self._known[key] = self._of_output(scope, column)
        return self._known[key]

    def _of_output(self, scope: Any, column: str) -> Reads:
        query = scope.expression
        if isinstance(query, exp.Subquery):
            (name,) = scope.sources
            return self._of_name(scope, name, column)
        if isinstance(query, exp.SetOperation):
            return together(self._of_branch(branch, query, column) for branch in scope.set_operation_scopes)
        if not isinstance(query, exp.Select):
            return Reads()  # a list of values is made from no source
        if column == ROWS:
            inputs = list(scope.selected_sources)
            return together(self._of_name(scope, name, ROWS) for name in inputs) | self._choice(
                scope, query, set(inputs)
            )
        outputs = [output for output in query.selects if output.alias_or_name == column]
        return self._of_own(scope, column) | self._choice(scope, query, _tables(outputs))

    def _of_branch(self, branch: Any, union: exp.SetOperation, column: str) -> Reads:
        if column == ROWS or union.args.get("by_name"):
            return self.of_output(branch, column)
        # The outputs of a union stand in the order of its first branch, under its names.
        return self.of_output(branch, branch.expression.named_selects[union.named_selects.index(column)])

    def _of_name(self, scope: Any, name: str, column: str) -> Reads:
        """What ``column`` of the relation called ``name`` reads, where ``scope`` stands."""
        while name not in scope.sources and scope.parent is not None:
            scope = scope.parent  # a subquery names a row of the query around it
        source = scope.sources[name]
        return (
            self._of_relation(source.name, column) if isinstance(source, exp.Table) else self.of_output(source, column)
        )

    def _of_expression(self, scope: Any, part: exp.Expression) -> Reads:
        if isinstance(part, exp.Column | exp.TableColumn):
            return self._of_named(scope, part)
        if isinstance(part, exp.Query):
            return self._of_subquery(scope, part)
        if isinstance(part, exp.Filter):
            return self._of_expression(scope, part.this) | self._of_expression(scope, part.expression).as_filters()
        if isinstance(part, exp.Window):
            return self._of_window(scope, part)
        if isinstance(part, exp.Count) and isinstance(part.this, exp.Star):
            return together(self._of_name(scope, name, ROWS) for name in scope.selected_sources)
        return together(self._of_expression(scope, child) for child in part.iter_expressions())

    def _of_named(self, scope: Any, part: exp.Column | exp.TableColumn) -> Reads:
        if isinstance(part, exp.TableColumn):
            return self._of_whole_row(scope, part.name)
        # Only order by may name an output of its own select.
        return self._of_name(scope, part.table, part.name) if part.table else self._of_own(scope, part.name)

    def _of_own(self, scope: Any, column: str) -> Reads:
        outputs = [output for output in scope.expression.selects if output.alias_or_name == column]
        return together(self._of_expression(scope, output) for output in outputs)

    def _of_whole_row(self, scope: Any, name: str) -> Reads:
        source = scope.sources[name]
        is_relation = isinstance(source, exp.Table)
        columns = self._columns_of(source.name) if is_relation else source.expression.named_selects
        return together(self._of_name(scope, name, column) for column in columns)

    def _of_subquery(self, scope: Any, query: exp.Expression) -> Reads:
        inner = next(found for found in scope.subquery_scopes if found.expression.unnest() is query.unnest())
        own = together(self.of_output(inner, output.alias_or_name) for output in query.selects)
        # exists (select 1 …) asks for no column, but whether there are rows.
        return own if own.values else own | self.of_output(inner, ROWS)

    def _of_window(self, scope: Any, window: exp.Window) -> Reads:
        own = self._of_expression(scope, window.this)
        named = [other for other in scope.expression.args.get("windows") or () if other.name == window.alias]
        windows = [window, *(named if window.alias else ())]
        partition = [part for each in windows for part in each.args.get("partition_by") or ()]
        chosen = together(self._of_expression(scope, part) for part in partition)
        order = together(self._of_expression(scope, each.args["order"]) for each in windows if each.args.get("order"))
        # A rank is made from nothing but what it is ordered by.
        return own | chosen.as_filters() | (order.as_filters() if own.values else order)

    def _choice(self, scope: Any, query: exp.Select, needed: set[str]) -> Reads:
        """What chooses, groups and joins the rows of ``query``, where ``needed`` are the relations that give the value."""
        clauses = [query.args[name] for name in ("where", "group", "having", "qualify") if query.args.get(name)]
        if query.args.get("group") and query.args["group"].args.get("all"):
            clauses += [output for output in query.selects if not output.find(exp.AggFunc)]
        clauses += [query.args["order"]] if query.args.get("limit") and query.args.get("order") else []
        needed = needed | _tables(clauses)
        for join in reversed(query.args.get("joins") or ()):
            # A left join adds columns and drops no row: it matters only to what is made from its columns.
            if join.side != "LEFT" or join.alias_or_name in needed:
                clauses += [join.args["on"]] if join.args.get("on") else []
                needed |= _tables(clauses)
        return together(self._of_expression(scope, clause) for clause in clauses).as_filters()


def _tables(parts: Iterable[exp.Expression]) -> set[str]:
    columns = {column.table for part in parts for column in part.find_all(exp.Column)}
    return columns | {row.name for part in parts for row in part.find_all(exp.TableColumn)}

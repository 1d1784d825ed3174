"""Models that are computed once for each landing night, before any night looks at them: rows, or sums of rows.

A night's window of four weeks shares all but one day with the window of the night before. Summing each landing once and
adding up sums is the eager aggregation of Yan and Larson (VLDB 1995); it is right only for aggregates that can be added
up, and nothing else is let through here. Each row or sum keeps the night that landed it and the night on which a
correction superseded it, so the gate shows it to exactly the nights that may know it.
"""

from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.tokens import Token, TokenType

from ml_pipeline.contracts.source import KNOWN_ON, SCORE_DATE
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of

SUPERSEDED_ON = "superseded_on"
_CLOCKS = f"{KNOWN_ON}, {SUPERSEDED_ON}"
_OF_THE_NIGHT = (SCORE_DATE, "cutoff_at", KNOWN_ON, SUPERSEDED_ON)
_ADDED_UP_BY = {
    exp.Sum: "sum", exp.Count: "sum", exp.Min: "min", exp.Max: "max", exp.LogicalOr: "bool_or", exp.LogicalAnd: "bool_and",
}  # fmt: skip
_CLAUSES = {
    "with_": "a with clause", "joins": "a join", "distinct": "distinct", "having": "having", "qualify": "qualify",
    "order": "order by", "limit": "limit", "offset": "offset",
}  # fmt: skip
_MOVE = "do that in a model that is computed per night and reads this one"


@dataclass(frozen=True)
class LandingModel:
    """A checked model of this kind.

    Attributes:
        sql: the author's text with the two clocks added to its select and group by, reading from the gate's own tables.
        reads: the one relation that it reads: a gated source relation, or another such model.
        keys: for sums, the columns that they are grouped by, None for rows.
        added_up_by: for sums, each summed column with the aggregate that adds its parts up.
    """

    name: str
    sql: str
    reads: str
    keys: tuple[str, ...] | None
    added_up_by: dict[str, str]


def compile_landing_model(model: SqlModel, table_of: dict[str, str], summed: frozenset[str]) -> LandingModel:
    """Check ``model`` and add the clocks to its text; its line numbers stay.

    Args:
        model: a parsed and safe model.
        table_of: the gate's table behind each relation that such a model may read.
        summed: those of them that hold sums.

    Raises:
        SqlRefusedError: the model does something that would not add up.
    """
    query = sqlglot.parse_one(model.sql, dialect="duckdb")
    if not isinstance(query, exp.Select):
        raise _refused(model, "select", "it is not one plain select")
    _refuse_clauses(model, query)
    reads = _relation_read(model, query, table_of, summed)
    aggregates = list(query.find_all(exp.AggFunc))
    keys, added_up_by = _sums(model, query) if aggregates or query.args.get("group") else (None, {})
    sql = _with_clocks(model.sql, query, table_of[reads], is_summed=keys is not None)
    return LandingModel(model.name, sql, reads, keys, added_up_by)


def _refused(model: SqlModel, word: str, reason: str, remedy: str = _MOVE) -> SqlRefusedError:
    return SqlRefusedError(
        model.path, line_of(model.sql, *word.split("|")), f"{model.name} is computed per landing, but {reason}", remedy
    )


def _refuse_clauses(model: SqlModel, query: exp.Select) -> None:
    for clause, name in _CLAUSES.items():
        if query.args.get(clause):
            raise _refused(model, name.removeprefix("a ").split()[0], f"has {name}")
    if query.find(exp.Window):
        raise _refused(model, "over", "has a window function")
    if len(list(query.find_all(exp.Query))) > 1:
        raise _refused(model, "select", "has a subquery")
    for column in query.find_all(exp.Column):
        if column.name.lower() in _OF_THE_NIGHT:
            raise _refused(
                model, column.name, f"names {column.name}, which belongs to the night that looks at it",
                "compare with it in the model that reads this one, where known_on is a column too",
            )  # fmt: skip
    for item in query.expressions:
        if item.find(exp.Star) and not item.find(exp.Count):
            raise _refused(model, "*", "selects *", "name the columns")
        if not item.alias_or_name:
            raise _refused(model, "select", f"{item.sql('duckdb')} has no name", "give it one with as")


def _relation_read(model: SqlModel, query: exp.Select, table_of: dict[str, str], summed: frozenset[str]) -> str:
    tables = [str(table.name) for table in query.find_all(exp.Table)]
    one_of = "read one source('name', lookback_days=n), or one model of rows that is computed per landing"
    if len(tables) != 1 or tables[0] not in table_of:
        raise _refused(model, tables[-1] if tables else "select", f"reads {sorted(tables)}", one_of)
    if tables[0] in summed:
        raise _refused(model, tables[0], f"reads the sums of {tables[0]}, and sums of sums would count parts", one_of)
    return tables[0]


def _sums(model: SqlModel, query: exp.Select) -> tuple[tuple[str, ...], dict[str, str]]:
    keys: dict[str, str] = {}
    added_up_by: dict[str, str] = {}
    for item in query.expressions:
        value = item.unalias()
        if not value.find(exp.AggFunc):
            keys[item.alias_or_name] = value.sql("duckdb")
            continue
        bare = value.this if isinstance(value, exp.Filter) else value
        how = _ADDED_UP_BY.get(type(bare))
        if (
            how is None
            or bare.args.get("count")
            or bare.find(exp.Distinct)
            or len(list(bare.find_all(exp.AggFunc))) > 1
        ):
            raise _refused(
                model, item.alias_or_name, f"{value.sql('duckdb')} cannot be added up over landings",
                "keep to sum, count, min, max, bool_or and bool_and; divide in the model that reads this one",
            )  # fmt: skip
        added_up_by[item.alias_or_name] = how
    _require_same_keys(model, query, keys)
    return tuple(keys), added_up_by


def _require_same_keys(model: SqlModel, query: exp.Select, keys: dict[str, str]) -> None:
    group = query.args.get("group")
    if group is not None and group.args.get("all"):
        return
    written = [part.sql("duckdb") for part in group.expressions] if group is not None else []
    unnamed = [part for part in written if part not in {*keys, *keys.values()}]
    unwritten = [name for name, text in keys.items() if name not in written and text not in written]
    if unnamed or unwritten or (group is not None and (len(written) == 0 or len(written) != len(keys))):
        raise _refused(
            model, "group", f"groups by {written} and selects {list(keys)} beside the sums",
            "select every column that it groups by, and no other, or write group by all",
        )  # fmt: skip


def _with_clocks(sql: str, query: exp.Select, table: str, *, is_summed: bool) -> str:
    tokens = sqlglot.tokenize(sql, read="duckdb")
    select = next(token for token in tokens if token.token_type == TokenType.SELECT)
    source = next(query.find_all(exp.Table))
    # A column may be written with the relation's name before it: the name stays, unless the author gave another.
    renamed = table if source.alias else f"{table} as {source.name}"
    place = source.this.meta
    changes = [(select.end + 1, select.end + 1, f" {_CLOCKS},"), (place["start"], place["end"] + 1, renamed)]
    if is_summed:
        changes.append(_grouping(sql, tokens))
    for start, stop, text in sorted(changes, reverse=True):
        sql = sql[:start] + text + sql[stop:]
    return sql


def _grouping(sql: str, tokens: list[Token]) -> tuple[int, int, str]:
    for place, token in enumerate(tokens):
        if token.token_type == TokenType.GROUP_BY:
            is_by_all = tokens[place + 1].token_type == TokenType.ALL
            return (token.end + 1, token.end + 1, "" if is_by_all else f" {_CLOCKS},")
    last = next(token for token in reversed(tokens) if token.token_type != TokenType.SEMICOLON)
    return (last.end + 1, len(sql), f"\ngroup by {_CLOCKS}")

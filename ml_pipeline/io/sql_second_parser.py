"""A second reading of a model, by DuckDB's own parser.

The checks walk the tree that sqlglot makes, and DuckDB runs the text. Where the two read a text differently, what was
checked is not what runs: ``from (show tables)`` is a table called show to the one and a list of all tables to the other.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
from sqlglot import exp

from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError

# All that a plain select is made of, apart from its expressions.
_PLAIN = {
    "SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "BASE_TABLE", "JOIN", "SUBQUERY", "EMPTY", "EXPRESSION_LIST",
    "ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING",
}  # fmt: skip
_OPTIONS = "skip_null := true, skip_empty := true, skip_default := true"


def refuse_other_reading(connection: duckdb.DuckDBPyConnection, model: SqlModel, query: exp.Expression) -> None:
    """Raise SqlRefusedError if DuckDB reads something in the text of ``model`` that is not in ``query``, sqlglot's tree of it."""
    answer = connection.execute(f"select json_serialize_sql(?::varchar, {_OPTIONS})", [model.sql]).fetchall()
    reading = json.loads(answer[0][0])
    if reading["error"]:
        line = _line(model, int(reading.get("position", 0)))
        raise SqlRefusedError(model.path, line, f"cannot be parsed: {reading['error_message']}", "correct the SQL")
    nodes = list(_nodes(reading["statements"]))
    for node in nodes:
        if node["type"] not in _PLAIN:
            line = _line(model, int(node.get("query_location", 0)))
            kind = node["type"].lower().replace("_", " ")
            raise SqlRefusedError(model.path, line, f"DuckDB reads a {kind} here", "a model is one plain select")
    read = Counter(".".join(node["qualified_name"]["path"]).lower() for node in nodes if node["type"] == "BASE_TABLE")
    checked = Counter(".".join(part.name for part in table.parts).lower() for table in query.find_all(exp.Table))
    if len(reading["statements"]) != 1 or read != checked:
        raise SqlRefusedError(
            model.path, 1, f"DuckDB reads {sorted(read.elements())} in it, the checks read {sorted(checked.elements())}",
            "write it so plainly that both read the same",
        )  # fmt: skip


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    """Every node of DuckDB's tree that is not an expression; expressions have a class."""
    if isinstance(part, list):
        for item in part:
            yield from _nodes(item)
    elif isinstance(part, dict):
        if isinstance(part.get("type"), str) and "class" not in part:
            yield part
        for item in part.values():
            yield from _nodes(item)


def _line(model: SqlModel, position: int) -> int:
    # DuckDB counts bytes.
    return model.sql.encode()[:position].count(b"\n") + 1

"""What every feature model must give: the columns that its YAML declares, and one row per row of the spine.

Asked for all models at once, because sixteen small questions cost a night more than one of sixteen parts.
"""

from collections.abc import Sequence

import duckdb

from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, line_of

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
            "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN", '"NULL"')  # fmt: skip


def require_columns(
    connection: duckdb.DuckDBPyConnection, models: Sequence[SqlModel], contracts: dict[str, ModelContract],
    key: Sequence[str],
) -> None:  # fmt: skip
    """Raise SqlRefusedError for a model whose table has other columns than ``key`` and those declared, or other types."""
    types: dict[str, dict[str, str]] = {model.name: {} for model in models}
    columns = "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'main'"
    for table, column, kind in connection.execute(columns).fetchall():
        types.setdefault(table, {})[column] = kind
    for model in models:
        _require_declared(model, contracts[model.name], types[model.name], key)


def _require_declared(model: SqlModel, contract: ModelContract, types: dict[str, str], key: Sequence[str]) -> None:
    declared = [*key, *(column.name for column in contract.columns)]
    if sorted(types) != sorted(declared):
        raise SqlRefusedError(
            model.path, 1,
            f"columns differ from {model.folder}.yml: missing {sorted(set(declared) - set(types))}, "
            f"not declared {sorted(set(types) - set(declared))}",
            "declare each feature once, and select the entity key, score_date and the features, nothing else",
        )  # fmt: skip
    for column in contract.columns:
        if column.type == "number" and not types[column.name].startswith(_NUMBERS):
            raise SqlRefusedError(
                model.path, line_of(model.text, column.name),
                f"feature {column.name} is {types[column.name]}, not a number",
                f"cast it, or declare it with type: category in {model.folder}.yml",
            )  # fmt: skip


def require_grain(connection: duckdb.DuckDBPyConnection, models: Sequence[SqlModel], key: Sequence[str]) -> None:
    """Raise SqlRefusedError for a model with more than one row per ``key``; names one of them."""
    columns = ", ".join(key)
    doubled = [
        f"select {columns}, count(*) as copies from {model.name} group by {columns} having copies > 1"
        for model in models
    ]
    counts = ", ".join(f"(select count(*) from ({rows}))" for rows in doubled)
    ((*found,),) = connection.execute(f"select {counts}").fetchall()
    for model, rows, count in zip(models, doubled, found, strict=True):
        if count:
            example = connection.execute(f"{rows} order by {columns} limit 1").fetchall()[0]
            raise SqlRefusedError(
                model.path, 1, f"more than one row per {columns}, for example {example}",
                "a join fans out; make its right side unique",
            )  # fmt: skip

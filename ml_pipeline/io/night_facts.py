"""Row counts, means, ranges and missing values of every night of a table, in one scan."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from ml_pipeline.contracts.expectations import ColumnFacts, NightFacts
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.catalog import files_select, identifier
from ml_pipeline.io.duckdb_connections import utc_connection
from ml_pipeline.nights import Night


def night_facts(files: Sequence[Path], schema: pa.Schema, columns: Sequence[str]) -> dict[Night, NightFacts]:
    """Facts of each night that has rows in ``files``, of ``columns``: numbers, flags and texts."""
    if not files:
        return {}
    parts = {name: _aggregates(schema.field(name)) for name in columns}
    select = ", ".join([SCORE_DATE, "count(*)", *(part for of_column in parts.values() for part in of_column)])
    # One thread, one order of the rows of a night: a sum of doubles depends on it, and a verdict must not.
    below = Path(os.path.commonpath([file.parent for file in files]))
    with utc_connection(threads=1, below=below) as connection:
        rows = connection.execute(
            f"select {select} from ({files_select(files, schema)}) group by {SCORE_DATE} order by {SCORE_DATE}"
        ).fetchall()
    widths = {name: len(of_column) for name, of_column in parts.items()}
    return {night: NightFacts(count, _facts(widths, iter(values))) for night, count, *values in rows}


def _aggregates(field: pa.Field) -> list[str]:
    name = identifier(field.name)
    if pa.types.is_string(field.type):
        return [f"count({name})", f"count(distinct {name})"]
    if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type):
        return [f"count({name})"]
    number = f"{name}::double"
    return [f"count({name})", f"fsum({number}) / count({name})", f"min({number})", f"max({number})"]


def _facts(widths: Mapping[str, int], values: Iterator[float | int | None]) -> dict[str, ColumnFacts]:
    """Facts by column of one night; ``values`` are the aggregates of each column in turn, as many as its width."""
    found = {}
    for name, width in widths.items():
        known, *numbers = (next(values) for _ in range(width))
        if len(numbers) == 1:
            found[name] = ColumnFacts(int(known or 0), distinct=int(numbers[0] or 0))
        else:
            mean, least, most = [None if each is None else float(each) for each in numbers] or [None] * 3
            found[name] = ColumnFacts(int(known or 0), mean, least, most)
    return found

"""Writes one commit of a Delta table: nights replaced whole, with what their publisher notes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.delta_log import NIGHTS_KEY
from ml_pipeline.nights import Night, contiguous_runs

if TYPE_CHECKING:
    from deltalake import WriterProperties

# A night of a million rows can then be read in parts, by as many threads as there are.
_MOST_ROWS_A_GROUP = 65_536
_KEEP_HISTORY = {"delta.logRetentionDuration": "interval 36500 days", "delta.enableExpiredLogCleanup": "false"}


def write_commit(
    folder: Path, rows: pa.Table, nights: Sequence[Night], notes: str, *, is_first: bool, may_grow: bool = False
) -> None:  # fmt: skip
    """Make ``rows`` the whole content of ``nights`` in the table in ``folder``; ``notes`` stand in the log.

    With ``may_grow`` columns that the table does not have yet become its last ones; files written before lack them.
    """
    from deltalake import CommitProperties, write_deltalake

    # The table is made first and empty: a night of zero rows needs a table to be recorded in.
    if is_first:
        write_deltalake(folder, rows.slice(0, 0), partition_by=[SCORE_DATE], mode="ignore", configuration=_KEEP_HISTORY)
    properties = CommitProperties(custom_metadata={NIGHTS_KEY: notes}, max_commit_retries=50)
    write_deltalake(
        folder, rows, partition_by=[SCORE_DATE], mode="overwrite", predicate=_predicate(nights),
        commit_properties=properties, writer_properties=_writer_properties(rows.schema),
        schema_mode="merge" if may_grow else None,
    )  # fmt: skip


def _writer_properties(schema: pa.Schema) -> "WriterProperties":
    """Dictionaries for texts only: of numbers they save little, and hold megabytes for each column and open file."""
    from deltalake import ColumnProperties, WriterProperties

    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    return WriterProperties(
        compression="SNAPPY",
        max_row_group_size=_MOST_ROWS_A_GROUP,
        default_column_properties=ColumnProperties(dictionary_enabled=False),
        column_properties={name: ColumnProperties(dictionary_enabled=True) for name in texts},
    )


def _predicate(nights: Sequence[Night]) -> str:
    # Spelled as runs: 365 single equalities make the log's query planner slow.
    runs = contiguous_runs(nights, longest=len(nights))
    return " or ".join(f"({SCORE_DATE} >= '{first}' and {SCORE_DATE} <= '{last}')" for first, last in runs)

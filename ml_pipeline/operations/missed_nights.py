"""Nights that a machine that was off, or a run that died, has left out."""

from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.decide import DECISIONS


def nights_to_run(tables: TableStore, tonight: Night) -> tuple[Night, ...]:
    """``tonight``, after every earlier night that was left out since the first that was finished, in order.

    A night is finished when the last step of the nightly chain has been published for it.
    """
    finished = tables.published(DECISIONS)
    first = min((night for night in finished if night < tonight), default=tonight)
    left_out = [night for night in nights_between(first, tonight) if night not in finished and night < tonight]
    return (*left_out, tonight)

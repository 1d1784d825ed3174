"""Turns readings of a wall clock into instants: what the clock never showed, or showed twice, is no instant."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_INSTANT = pa.timestamp("us", tz="UTC")
_NAIVE = pa.timestamp("us")


@dataclass(frozen=True)
class Instants:
    """Instants, null where the clock tells none, and for those rows why; both of shape (rows,)."""

    values: pa.ChunkedArray
    faults: pa.ChunkedArray


def instants_of(readings: pa.ChunkedArray, name: str, timezone: str) -> Instants:
    """Instants of ``readings`` of the clock of ``timezone``: naive timestamps, or texts that may carry their offset.

    Raises:
        pyarrow.ArrowInvalid: a text is no reading.
    """
    if pa.types.is_string(readings.type):
        has_offset = pc.match_substring_regex(readings, r"(Z|[+-][0-9]{2}:?[0-9]{2})\z")
        told = pc.if_else(has_offset, readings, pa.scalar(None, pa.string())).cast(_INSTANT)
        readings = pc.if_else(has_offset, pa.scalar(None, pa.string()), readings).cast(_NAIVE)
    else:
        told = pa.chunked_array([pa.nulls(len(readings), _INSTANT)])
    early, late = (
        pc.assume_timezone(readings, timezone, ambiguous=side, nonexistent=side).cast(pa.int64())
        for side in ("earliest", "latest")
    )
    # Across a gap the two ends of it lie a microsecond apart; across a fold an hour, or whatever the clock was set back.
    apart = pc.subtract(late, early)
    is_gap, is_fold = pc.equal(apart, 1), pc.greater(apart, 1)
    single = pc.if_else(pc.equal(apart, 0), early, pa.scalar(None, pa.int64())).cast(_INSTANT)
    faults = pc.if_else(
        pc.fill_null(is_gap, False), pa.scalar(f"{name}: shown by the clock of {timezone}"),
        pc.if_else(
            pc.fill_null(is_fold, False), pa.scalar(f"{name}: shown once by the clock of {timezone}, or with its offset"),
            pa.scalar(None, pa.string()),
        ),
    )  # fmt: skip
    return Instants(pc.coalesce(told, single), faults)

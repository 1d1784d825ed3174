"""How late landed rows came: after the night on which they were expected, or as a correction of an earlier version."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE, SourceContract
from ml_pipeline.nights import NightCalendar

LATE = "late"
CORRECTION = "correction"


@dataclass(frozen=True)
class Arrivals:
    """How rows arrived; arrays of shape (rows,).

    Attributes:
        due_on: the night on which the row should have been there: of a correction the night of the version that it
            corrects, of a late row the night on which it was expected, of any other row the night that landed it.
        nights_late: nights from ``due_on`` to the night that landed the row; 0 for a row that is neither.
        is_correction: a version of the row had landed on an earlier night.
    """

    due_on: NDArray[np.datetime64]
    nights_late: NDArray[np.int64]
    is_correction: NDArray[np.bool_]

    @property
    def kinds(self) -> NDArray[np.str_]:
        """``correction``, ``late``, or empty for a row that came in time."""
        return np.where(self.is_correction, CORRECTION, np.where(self.nights_late > 0, LATE, ""))


def expected_nights(rows: pa.Table, contract: SourceContract, calendar: NightCalendar) -> NDArray[np.datetime64]:
    """The last night on which each of ``rows`` would have landed in time; ``datetime64[D]`` of shape (rows,).

    NaT where the source does not say. Never before the first night, which takes everything that was known before it.

    Args:
        rows: landed rows with ``score_date`` and the column that ``expected_by`` names.
        contract: the source.
        calendar: turns instants into nights.
    """
    if contract.expected_by is None or not rows.num_rows:
        return np.full(rows.num_rows, np.datetime64("NaT"), dtype="datetime64[D]")
    column = rows.column(contract.expected_by.column)
    if pa.types.is_date(column.type):
        nights = np.asarray(column.to_numpy(), dtype="datetime64[D]")
    else:
        # An instant after the last landing is not late whatever its night is, and may lie in a year without a calendar.
        last = landing_nights(rows).max().item()
        latest = pa.scalar(calendar.cutoff(last), column.type).cast(pa.int64()).as_py()
        instants = np.minimum(column.cast(pa.int64()).to_numpy(), latest)
        nights = calendar.nights_known(instants, calendar.first_night, last)
    return np.maximum(nights + np.timedelta64(contract.expected_by.nights, "D"), np.datetime64(calendar.first_night))


def judge_arrivals(
    rows: pa.Table, expected_on: NDArray[np.datetime64], earlier: pa.Table, key: Sequence[str]
) -> Arrivals:
    """Judge each of ``rows`` by the night that landed it (``score_date``).

    A correction is never late besides: what it is late against is the version that it corrects.

    Args:
        rows: landed rows of any nights, with ``score_date`` and ``key``.
        expected_on: the night by which each row should have landed, as ``datetime64[D]`` of shape (rows,); NaT where
            nothing is expected.
        earlier: rows that landed on other nights, with the same columns: versions that ``rows`` may correct.
        key: the columns that name a row.
    """
    columns = [*key, SCORE_DATE]
    everything = pa.concat_tables([earlier.select(columns), rows.select(columns)])
    landed_on = landing_nights(everything)
    corrected_on = _previous_nights(key_numbers(everything, key), landed_on)[earlier.num_rows :]
    landed_on = landed_on[earlier.num_rows :]
    is_correction = ~np.isnat(corrected_on)
    # fmin passes over NaT, so a row that nobody expected is due when it comes.
    due_on = np.where(is_correction, corrected_on, np.fmin(expected_on, landed_on))
    return Arrivals(due_on, (landed_on - due_on).astype(np.int64), is_correction)


def landing_nights(rows: pa.Table) -> NDArray[np.datetime64]:
    """The night that landed each row; shape (rows,)."""
    return np.asarray(rows.column(SCORE_DATE).to_numpy(), dtype="datetime64[D]")


def key_numbers(rows: pa.Table, key: Sequence[str]) -> NDArray[np.int64]:
    """A number for each row, the same for rows of the same key; shape (rows,)."""
    numbers = np.empty(rows.num_rows, dtype=np.int64)
    numbered = rows.select(list(key)).append_column("_position", pa.array(np.arange(rows.num_rows)))
    positions = numbered.group_by(list(key)).aggregate([("_position", "list")]).column("_position_list")
    sizes = positions.combine_chunks().value_lengths().to_numpy()
    numbers[positions.combine_chunks().flatten().to_numpy()] = np.repeat(np.arange(len(sizes)), sizes)
    return numbers


def _previous_nights(keys: NDArray[np.int64], nights: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """For each row the last night before its own that landed the same key, NaT if there is none."""
    order = np.lexsort((nights, keys))
    sorted_keys, sorted_nights = keys[order], nights[order]
    is_new_key = np.append(True, sorted_keys[1:] != sorted_keys[:-1])[: len(order)]
    is_first = is_new_key | np.append(True, sorted_nights[1:] != sorted_nights[:-1])[: len(order)]
    # Rows that landed on one night share their predecessor, so it is looked up once for each key and night.
    starts = np.flatnonzero(is_first)
    before = np.full(len(starts), np.datetime64("NaT"), dtype="datetime64[D]")
    before[1:] = np.where(is_new_key[starts[1:]], before[1:], sorted_nights[starts[:-1]])
    previous = np.empty(len(order), dtype="datetime64[D]")
    previous[order] = before[np.cumsum(is_first) - 1]
    return previous

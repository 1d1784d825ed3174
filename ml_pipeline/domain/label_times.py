"""When the label of each row became known, read from the label table itself: what audits hold a training against."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.nights import NightCalendar

_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class KnownLabels:
    """Labels of rows as they stood at an instant; each array has the shape (rows,) and the order of the rows.

    Attributes:
        values: 0, 1, or NaN where no label was known.
        known_at: UTC instant at which that version of the label became known, NaT where there is none.
    """

    values: NDArray[np.float64]
    known_at: NDArray[np.datetime64]

    @property
    def is_known(self) -> NDArray[np.bool_]:
        return ~np.isnat(self.known_at)


def latest_labels(rows: pa.Table, labels: pa.Table, key: Sequence[str], *, until: datetime) -> KnownLabels:
    """The newest version of each row's label with ``label_known_at`` no later than ``until``.

    ``domain/labelling.py`` chooses by the partition that a label lies in; this looks at its clock alone. That the two
    agree is what an audit shows. A version without a clock or without a value counts as unknown.

    Args:
        rows: rows with ``score_date`` and ``key``.
        labels: rows of the label table, in any order.
        key: the entity key; with the labelled day it names a row.
        until: an instant with a time zone.
    """
    identity = [*key, "labelled_date"]
    versions = labels.select([*identity, "label_known_at", "label"])
    versions = versions.filter(pc.less_equal(versions["label_known_at"], pa.scalar(until, _INSTANT)))
    versions = versions.filter(pc.is_valid(versions["label"]))
    numbered = rows.select([*key, SCORE_DATE]).append_column("_position", pa.array(np.arange(rows.num_rows)))
    met = numbered.join(versions, [*key, SCORE_DATE], identity, join_type="inner")
    position = met["_position"].to_numpy()
    known_at = met["label_known_at"].cast(pa.timestamp("us")).to_numpy()
    value = met["label"].cast(pa.float64()).to_numpy()
    order = np.lexsort((value, known_at, position))
    newest = order[np.append(np.diff(position[order]) != 0, values=True)] if len(order) else order
    values = np.full(rows.num_rows, np.nan)
    times = np.full(rows.num_rows, np.datetime64("NaT"), dtype="datetime64[us]")
    values[position[newest]], times[position[newest]] = value[newest], known_at[newest]
    return KnownLabels(values, times)


def cutoffs_of(nights: NDArray[np.datetime64], calendar: NightCalendar, *, later: int = 0) -> NDArray[np.datetime64]:
    """For each of ``nights`` the UTC cutoff of the night ``later`` nights after it; shape and order of ``nights``."""
    distinct, position = np.unique(nights.astype("datetime64[D]"), return_inverse=True)
    instants = [instant(calendar.cutoff(night.item())) for night in distinct + np.timedelta64(later, "D")]
    return np.array(instants, dtype="datetime64[us]")[position]


def instant(moment: datetime) -> np.datetime64:
    """``moment``, which has a time zone, as numpy's UTC instant, which has none."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")

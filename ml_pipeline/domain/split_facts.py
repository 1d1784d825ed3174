"""Counts what the blocks of a training take of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.label_times import KnownLabels, cutoffs_of, instant
from ml_pipeline.domain.split_report import BlockReport, SplitReport
from ml_pipeline.domain.splits import Block, Blocks
from ml_pipeline.nights import Night, NightCalendar


def entity_columns(rows: pa.Table, key: Sequence[str]) -> tuple[str, ...]:
    """The columns of ``key`` that name a thing: texts and whole numbers. A time names one occasion of it."""
    types = {name: rows.schema.field(name).type for name in key}
    return tuple(name for name, kind in types.items() if pa.types.is_string(kind) or pa.types.is_integer(kind))


def describe_split(
    blocks: Blocks, rows: pa.Table, known: KnownLabels, *, key: Sequence[str], calendar: NightCalendar,
    trained_on: Night, label_horizon_nights: int,
) -> SplitReport:  # fmt: skip
    """Describe what ``blocks`` take of ``rows``.

    Args:
        blocks: the blocks; nights between them are in ``rows`` or not, they are not counted.
        rows: feature rows of all nights of the blocks, with and without a label.
        known: their labels at the cutoff of ``trained_on``.
        key: the entity key.
        calendar: gives the cutoffs.
        trained_on: the night of the training.
        label_horizon_nights: as the project declares it.
    """
    entity = entity_columns(rows, key)
    next_nights = [*(block.first for block in blocks.in_order[1:]), trained_on]
    parts = [_part(block, rows, known) for block in blocks.in_order]
    met = _distinct(parts[0].labelled, entity)
    reports = [
        _described(part, entity, met, calendar, horizon=label_horizon_nights, next_cutoff=calendar.cutoff(following))
        for part, following in zip(parts, next_nights, strict=True)
    ]
    return SplitReport(
        trained_on, calendar.cutoff(trained_on), blocks.gap_nights, label_horizon_nights, entity, tuple(reports)
    )


@dataclass(frozen=True)
class _Part:
    """The rows of one block with their labels."""

    block: Block
    rows: pa.Table
    known: KnownLabels

    @property
    def labelled(self) -> pa.Table:
        return self.rows.filter(pa.array(self.known.is_known))


def _part(block: Block, rows: pa.Table, known: KnownLabels) -> _Part:
    nights = rows[SCORE_DATE].to_numpy()
    chosen = np.flatnonzero((nights >= np.datetime64(block.first)) & (nights <= np.datetime64(block.last)))
    return _Part(block, rows.take(pa.array(chosen)), KnownLabels(known.values[chosen], known.known_at[chosen]))


def _described(
    part: _Part, entity: Sequence[str], met: pa.Table, calendar: NightCalendar, *, horizon: int, next_cutoff: datetime
) -> BlockReport:
    labelled, known_at, is_known = part.labelled, part.known.known_at, part.known.is_known
    nights = part.rows[SCORE_DATE].to_numpy()
    positives = part.known.values[is_known]
    mine = _distinct(labelled, entity)
    return BlockReport(
        part.block.purpose, part.block.first, part.block.last, part.block.length,
        rows=part.rows.num_rows, labelled_rows=labelled.num_rows,
        positive_share=float(positives.mean()) if len(positives) else None,
        distinct={name: len(labelled[name].unique()) for name in entity},
        entities=mine.num_rows if entity else None,
        met_entity_share=_met_share(mine, met, entity), met_row_share=_met_share(labelled, met, entity),
        early_labels=int(np.sum(known_at <= cutoffs_of(nights, calendar))),
        # Written so that a row without a label is late: a comparison with NaT is false.
        late_labels=int(np.sum(~(known_at <= cutoffs_of(nights, calendar, later=horizon)))),
        overdue_labels=int(np.sum(known_at > instant(next_cutoff))),
        latest_label_known_at=known_at[is_known].max().item().replace(tzinfo=UTC) if is_known.any() else None,
    )  # fmt: skip


def _distinct(rows: pa.Table, entity: Sequence[str]) -> pa.Table:
    return rows.select(list(entity)).group_by(list(entity)).aggregate([])


def _met_share(rows: pa.Table, met: pa.Table, entity: Sequence[str]) -> float | None:
    if not entity or not rows.num_rows:
        return None
    return float(rows.select(list(entity)).join(met, list(entity), join_type="left semi").num_rows / rows.num_rows)

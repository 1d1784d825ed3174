"""What must hold of the nights and rows of a split; each answer is a list of the ways in which it does not, in words."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.label_times import KnownLabels
from ml_pipeline.domain.splits import Block
from ml_pipeline.nights import Night


def misplaced_blocks(blocks: Sequence[Block], gap_nights: int) -> list[str]:
    """Blocks (or the two of a fold) that end before they begin, stand out of order, overlap or leave too small a gap.

    Neighbours are compared: where each of them keeps order and gap, all blocks do.
    """
    purposes = [block.purpose for block in blocks]
    found = [f"{purpose} stands for {purposes.count(purpose)} blocks" for purpose in sorted(set(purposes))
             if purposes.count(purpose) > 1]  # fmt: skip
    found += [f"{_named(block)} ends before it begins" for block in blocks if block.last < block.first]
    for earlier, later in pairwise(blocks):
        unused = (later.first - earlier.last).days - 1
        both = f"{_named(earlier)} and {_named(later)}"
        if later.last < earlier.first:
            found.append(f"{both} are out of order")
        elif unused < 0:
            shared = (min(earlier.last, later.last) - max(earlier.first, later.first)).days + 1
            found.append(f"{both} share {shared} nights")
        elif unused < gap_nights:
            found.append(f"{both} are parted by {unused} unused nights, {gap_nights} are needed")
    return found


def too_fresh(test: Block, trained_on: Night, label_horizon_nights: int) -> list[str]:
    """The test block ends before its labels can be known to the night of the training, or it does not."""
    waited = (trained_on - test.last).days
    if waited >= label_horizon_nights:
        return []
    return [
        f"{_named(test)} ends {waited} nights before the training of {trained_on}; its labels need {label_horizon_nights}"
    ]


def strayed_rows(block: Block, nights: NDArray[np.datetime64]) -> list[str]:
    """Rows that were handed out for ``block`` though their night is not in it; ``nights`` of shape (rows,)."""
    is_outside = (nights < np.datetime64(block.first)) | (nights > np.datetime64(block.last))
    if not is_outside.any():
        return []
    outside = np.unique(nights[is_outside])
    return [f"{_named(block)} was given {int(is_outside.sum())} rows of other nights ({outside[0]} to {outside[-1]})"]


def repeated_rows(used: Sequence[tuple[Block, pa.Table]], key: Sequence[str]) -> list[str]:
    """Rows (key and night) that are used more than once, be it for two purposes or twice for the same."""
    identity = [*key, SCORE_DATE]
    parts = [
        rows.select(identity).append_column("_purpose", pa.array([block.purpose] * rows.num_rows, pa.string()))
        for block, rows in used
    ]
    counted = pa.concat_tables(parts).group_by(identity).aggregate([("_purpose", "count"), ("_purpose", "distinct")])
    counted = counted.filter(pc.greater(counted["_purpose_count"], 1))
    if not counted.num_rows:
        return []
    purposes = sorted({purpose for listed in counted["_purpose_distinct"].to_pylist() for purpose in listed})
    return [f"{counted.num_rows} rows are used more than once, by {', '.join(purposes)}, {_example(counted, 0, key)}"]


def unknown_labels(block: Block, rows: pa.Table, labels: NDArray[np.float64], known: KnownLabels, key: Sequence[str]) -> list[str]:  # fmt: skip
    """Rows of ``block`` with a label that was not known, or not as the newest version, at the instant of ``known``.

    Args:
        block: for its name.
        rows: the rows that a training is about to use.
        labels: what it takes for their labels; shape (rows,).
        known: their labels as the label table had them at the cutoff of the night of the training.
        key: the entity key.
    """
    is_unknown = ~known.is_known
    is_other = ~is_unknown & (labels != known.values)
    found = []
    for is_wrong, what in (
        (is_unknown, "a label that was not known"),
        (is_other, "a label other than the newest known"),
    ):
        if is_wrong.any():
            example = _example(rows, int(np.argmax(is_wrong)), key)
            found.append(
                f"{_named(block)}: {int(is_wrong.sum())} of {len(labels)} rows have {what} at the cutoff of the training, "
                f"{example}"
            )
    return found


def premature_labels(nights: NDArray[np.datetime64], known_at: NDArray[np.datetime64], cutoffs: NDArray[np.datetime64], trained_on: Night) -> list[str]:  # fmt: skip
    """Rows of the label table that were read before they were known.

    Args:
        nights: the night that each row lies in; shape (rows,).
        known_at: when its label became known; shape (rows,).
        cutoffs: the cutoff of the night that it lies in; shape (rows,).
        trained_on: the night of the training, which may open no later one.
    """
    is_later = nights > np.datetime64(trained_on)
    # Written so that a row without a clock is found too: a comparison with NaT is false.
    is_early = ~(known_at <= cutoffs)
    found = []
    if is_later.any():
        found.append(
            f"labels: {int(is_later.sum())} rows of nights after {trained_on} were read, up to {np.max(nights)}"
        )
    if is_early.any():
        found.append(
            f"labels: {int(is_early.sum())} rows lie in a night at whose cutoff they were not known, the first in "
            f"{np.min(nights[is_early])}"
        )
    return found


def _named(block: Block) -> str:
    return f"{block.purpose} ({block.first} to {block.last})"


def _example(rows: pa.Table, position: int, key: Sequence[str]) -> str:
    row = rows.select([SCORE_DATE, *key]).slice(position, 1).to_pylist()[0]
    return "for example " + ", ".join(f"{name} {value}" for name, value in row.items())

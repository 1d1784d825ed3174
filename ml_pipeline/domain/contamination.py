"""The contamination guard: a comparison counts only on rows that nobody was made from, the same ones for everybody."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.splits import Block
from ml_pipeline.nights import Night, nights_back


@dataclass(frozen=True)
class UsedNights:
    """The nights that a model was made from, or was chosen by.

    Attributes:
        blocks: what it learned from. So many nights as ``gap_nights`` around each are no fair test either: labels of the
            block were not known when they were scored.
        gap_nights: as the split of the model kept it.
        chosen_by: blocks that only chose it. They taught it nothing that a gap could keep apart, and have none.
    """

    blocks: tuple[Block, ...]
    gap_nights: int
    chosen_by: tuple[Block, ...] = ()


@dataclass(frozen=True)
class ComparedRows:
    """The rows that somebody was measured on: ``keys`` (``score_date`` and entity key), and ``labels`` of shape (rows,)."""

    keys: pa.Table
    labels: NDArray[np.float64]

    @property
    def nights(self) -> NDArray[np.datetime64]:
        """The night of each row, shape (rows,)."""
        return np.asarray(self.keys.column(SCORE_DATE).to_numpy()).astype("datetime64[D]")


@dataclass(frozen=True)
class Contamination:
    """Why a comparison would be no fair test; no reason means that it is one."""

    reasons: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        return not self.reasons


def find_contamination(rows: Mapping[str, ComparedRows], used: Mapping[str, UsedNights]) -> Contamination:
    """Look for all that would make a comparison unfair.

    Args:
        rows: what each contestant was measured on, by name; in the same order of rows.
        used: what each contestant was made from, by name. Who is not named (a baseline, which reads only what was known
            at each night's own cutoff) was made from nothing.
    """
    (first_name, reference), *others = rows.items()
    reasons = [*_immature(reference)]
    for name, theirs in others:
        reasons += _other_rows(first_name, reference, name, theirs)
    nights = sorted({night for each in rows.values() for night in np.unique(each.nights).tolist()})
    for name, of_model in used.items():
        reasons += _used_by(name, of_model, nights)
    return Contamination(tuple(reasons))


def _immature(rows: ComparedRows) -> Iterator[str]:
    if not len(rows.labels):
        yield "there is no row with a known label to compare on"
    unknown = int(np.sum(~np.isin(rows.labels, (0, 1))))
    if unknown:
        yield f"{unknown} of the rows have no known label: not matured yet"


def _other_rows(name: str, mine: ComparedRows, other: str, theirs: ComparedRows) -> Iterator[str]:
    what = f"{name} and {other} were not measured on the same rows"
    if mine.keys.num_rows != theirs.keys.num_rows:
        yield f"{what}: {mine.keys.num_rows} against {theirs.keys.num_rows}"
    elif not mine.keys.equals(theirs.keys):
        yield f"{what}: their keys differ"
    elif not np.array_equal(mine.labels, theirs.labels):
        yield f"{what}: {int(np.sum(mine.labels != theirs.labels))} labels differ"


def _used_by(name: str, used: UsedNights, nights: list[Night]) -> Iterator[str]:
    if not used.blocks:
        yield f"{name} does not say which nights it was made from: not a fair test"
        return
    for block, gap in [*((one, used.gap_nights) for one in used.blocks), *((one, 0) for one in used.chosen_by)]:
        first, last = nights_back(block.first, gap), nights_back(block.last, -gap)
        if hit := [night for night in nights if first <= night <= last]:
            yield (
                f"{name} used nights {block.first} to {block.last} ({block.purpose}); {len(hit)} of the nights compared "
                f"({hit[0]} to {hit[-1]}) lie in them or in the gap of {gap} nights around them: not a fair test"
            )
    latest = max(block.last for block in (*used.blocks, *used.chosen_by))
    if earlier := [night for night in nights if night < latest]:
        yield (
            f"{name} used nights up to {latest}; {len(earlier)} of the nights compared ({earlier[0]} to {earlier[-1]}) lie "
            "before, and later outcomes may tell of them: not a fair test"
        )

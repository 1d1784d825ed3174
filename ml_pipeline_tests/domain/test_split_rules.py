from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.label_times import KnownLabels
from ml_pipeline.domain.split_rules import (
    misplaced_blocks,
    premature_labels,
    repeated_rows,
    strayed_rows,
    too_fresh,
    unknown_labels,
)
from ml_pipeline.domain.splits import Block
from ml_pipeline.nights import nights_between

FIRST = date(2024, 2, 20)
PURPOSES = ("train", "early_stop", "calibrate", "test")
KEY = ["order_id"]


def laid_out(lengths: list[int], gaps: list[int]) -> list[Block]:
    """Four blocks with these lengths and these unused nights between them; a negative gap makes them overlap."""
    blocks, first = [], FIRST
    for purpose, length, gap in zip(PURPOSES, lengths, [*gaps, 0], strict=True):
        blocks.append(Block(purpose, first, first + timedelta(days=length - 1)))
        first = blocks[-1].last + timedelta(days=gap + 1)
    return blocks


LENGTHS = st.lists(st.integers(1, 15), min_size=4, max_size=4)


@given(LENGTHS, st.lists(st.integers(-5, 8), min_size=3, max_size=3), st.integers(0, 6))
def test_a_layout_is_misplaced_if_and_only_if_two_blocks_come_too_close(
    lengths: list[int], gaps: list[int], needed: int
) -> None:
    blocks = laid_out(lengths, gaps)
    # The oracle counts nights of every pair of blocks, not only of neighbours.
    close = False
    for position, earlier in enumerate(blocks):
        kept_free = set(nights_between(earlier.first, earlier.last + timedelta(days=needed)))
        for later in blocks[position + 1 :]:
            close |= bool(kept_free & set(nights_between(later.first, later.last))) or later.last < earlier.first
    assert bool(misplaced_blocks(blocks, needed)) == close


@given(LENGTHS, st.integers(1, 6), st.permutations(range(4)))
def test_blocks_in_another_order_are_named(lengths: list[int], gap: int, order: list[int]) -> None:
    blocks = laid_out(lengths, [gap] * 3)
    found = misplaced_blocks([blocks[position] for position in order], gap)
    turned = [f"{blocks[one].purpose} " for one, other in pairwise(order) if other < one]
    assert len(found) == len(turned)
    assert all(
        line.startswith(name) and line.endswith("are out of order") for line, name in zip(found, turned, strict=True)
    )


_TRAIN, _EARLY = "train (2024-02-20 to 2024-02-24)", "early_stop (2024-02-26 to 2024-03-01)"


@pytest.mark.parametrize(
    ("gaps", "found"),
    [
        ([1, 2, 2], [f"{_TRAIN} and {_EARLY} are parted by 1 unused nights, 2 are needed"]),
        ([2, 2, -2], ["calibrate (2024-03-05 to 2024-03-09) and test (2024-03-08 to 2024-03-12) share 2 nights"]),
        ([2, 2, 2], []),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_nights(gaps: list[int], found: list[str]) -> None:
    assert misplaced_blocks(laid_out([5, 5, 5, 5], gaps), 2) == found


def test_a_block_that_is_used_twice_is_named() -> None:
    blocks = laid_out([5, 5, 5, 5], [2, 2, 2])
    twice = [*blocks[:2], blocks[1], blocks[3]]
    assert misplaced_blocks(twice, 2) == [
        "early_stop stands for 2 blocks",
        "early_stop (2024-02-27 to 2024-03-02) and early_stop (2024-02-27 to 2024-03-02) share 5 nights",
    ]


def test_a_block_that_ends_before_it_begins_is_named() -> None:
    blocks = [Block("train", FIRST, FIRST), Block("test", FIRST + timedelta(days=9), FIRST + timedelta(days=8))]
    assert misplaced_blocks(blocks, 2) == ["test (2024-02-29 to 2024-02-28) ends before it begins"]


def test_a_test_block_must_wait_for_its_labels() -> None:
    test = Block("test", FIRST, FIRST + timedelta(days=5))
    assert too_fresh(test, test.last + timedelta(days=3), 3) == []
    assert "ends 2 nights before the training of 2024-02-27; its labels need 3" in too_fresh(
        test, test.last + timedelta(days=2), 3
    )[0]  # fmt: skip


@pytest.mark.parametrize(("offset", "strayed"), [(-1, 1), (0, 0), (1, 1)])
def test_rows_of_other_nights_are_counted(offset: int, strayed: int) -> None:
    block = Block("train", FIRST, FIRST + timedelta(days=2))
    nights = np.array(nights_between(block.first, block.last), dtype="datetime64[D]") + np.timedelta64(offset, "D")
    found = strayed_rows(block, nights)
    assert len(found) == strayed
    assert all("was given 1 rows of other nights" in line for line in found)


def rows(*pairs: tuple[date, str]) -> pa.Table:
    columns = {"score_date": pa.array([night for night, _ in pairs], pa.date32()),
               "order_id": pa.array([key for _, key in pairs], pa.string())}  # fmt: skip
    return pa.table(columns)


def test_a_row_may_serve_once() -> None:
    train, test = laid_out([5, 5, 5, 5], [2, 2, 2])[::3]
    mine, others = rows((FIRST, "a"), (FIRST, "b")), rows((test.first, "a"))
    assert repeated_rows([(train, mine), (test, others)], KEY) == [], "the same key on another night is another row"
    twice = repeated_rows([(train, mine), (test, rows((FIRST, "b")))], KEY)
    assert twice == ["1 rows are used more than once, by test, train, for example score_date 2024-02-20, order_id b"]
    assert "by train," in repeated_rows([(train, pa.concat_tables([mine, mine]))], KEY)[0]


def test_labels_must_have_been_known_as_they_are_used() -> None:
    block = Block("train", FIRST, FIRST)
    used = rows((FIRST, "a"), (FIRST, "b"), (FIRST, "c"))
    instants = np.array(["2024-02-21", "NaT", "2024-02-22"], dtype="datetime64[us]")
    known = KnownLabels(np.array([1.0, np.nan, 0.0]), instants)
    assert len(unknown_labels(block, used, np.array([1.0, 0.0, 0.0]), known, KEY)) == 1
    unknown, other = unknown_labels(block, used, np.array([0.0, 0.0, 0.0]), known, KEY)
    assert "1 of 3 rows have a label that was not known at the cutoff of the training, for example" in unknown
    assert unknown.endswith("order_id b")
    assert "a label other than the newest known" in other
    assert other.endswith("order_id a")
    everything = KnownLabels(np.ones(3), np.full(3, instants[0]))
    assert unknown_labels(block, used, np.ones(3), everything, KEY) == []


def test_a_label_must_not_be_read_before_it_was_known() -> None:
    later = FIRST + timedelta(days=1)
    nights = np.array([FIRST, later, FIRST], dtype="datetime64[D]")
    cutoff = np.datetime64("2024-02-19T19:00", "us")
    cutoffs = np.array([cutoff, cutoff + np.timedelta64(1, "D"), cutoff])
    assert premature_labels(nights, cutoffs, cutoffs, later) == [], "the cutoff itself belongs to its night"
    assert premature_labels(nights, cutoffs, cutoffs, FIRST) == [
        "labels: 1 rows of nights after 2024-02-20 were read, up to 2024-02-21"
    ]
    late = cutoffs + np.array([0, 1, 0], dtype="timedelta64[us]")
    assert premature_labels(nights, late, cutoffs, later) == [
        "labels: 1 rows lie in a night at whose cutoff they were not known, the first in 2024-02-21"
    ]
    unclocked = np.array([cutoff, cutoff, np.datetime64("NaT")], dtype="datetime64[us]")
    assert len(premature_labels(nights, unclocked, cutoffs, later)) == 1
    assert premature_labels(nights[:0], late[:0], cutoffs[:0], later) == []

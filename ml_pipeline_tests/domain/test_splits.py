import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.project import TrainingContract
from ml_pipeline.domain.splits import Blocks, split_blocks

FIRST = date(2024, 1, 1)
CONTRACTS = st.builds(
    TrainingContract, warmup_nights=st.integers(0, 10), early_stop_nights=st.integers(1, 12),
    calibrate_nights=st.integers(1, 12), test_nights=st.integers(1, 12), seed=st.just(1), max_trees=st.just(1),
    patience_trees=st.just(1), lightgbm=st.just({}),
)  # fmt: skip


def least_history(contract: TrainingContract, gap: int) -> int:
    """Nights from the first night to ``trained_on`` that leave exactly one night to the train block."""
    blocks = contract.early_stop_nights + contract.calibrate_nights + contract.test_nights
    return contract.warmup_nights + blocks + 4 * gap


def split(contract: TrainingContract, gap: int, history: int) -> Blocks:
    return split_blocks(
        contract, trained_on=FIRST + timedelta(days=history), first_night=FIRST, label_horizon_nights=gap
    )


@given(CONTRACTS, st.integers(1, 9), st.integers(0, 60))
def test_blocks_keep_their_order_their_lengths_and_their_gaps(contract: TrainingContract, gap: int, spare: int) -> None:
    history = least_history(contract, gap) + spare
    blocks = split(contract, gap, history)
    trained_on = FIRST + timedelta(days=history)
    assert [block.purpose for block in blocks.in_order] == ["train", "early_stop", "calibrate", "test"]
    assert (trained_on - blocks.test.last).days == gap == blocks.gap_nights
    for earlier, later in zip(blocks.in_order, blocks.in_order[1:], strict=False):
        unused = (later.first - earlier.last).days - 1
        assert unused == gap, "the labels of a block must be known before the next one begins"
    lengths = [(block.last - block.first).days + 1 for block in blocks.in_order]
    assert lengths == [spare + 1, contract.early_stop_nights, contract.calibrate_nights, contract.test_nights]
    assert blocks.train.first == FIRST + timedelta(days=contract.warmup_nights)


@given(CONTRACTS, st.integers(1, 9))
def test_one_night_less_than_needed_is_refused(contract: TrainingContract, gap: int) -> None:
    least = least_history(contract, gap)
    assert split(contract, gap, least).train.first == split(contract, gap, least).train.last
    with pytest.raises(ValueError, match=r"shorten the blocks in project\.yml"):
        split(contract, gap, least - 1)


@given(CONTRACTS, st.integers(1, 9), st.integers(0, 5))
def test_the_refusal_says_how_many_nights_are_needed(contract: TrainingContract, gap: int, short: int) -> None:
    history = max(0, least_history(contract, gap) - 1 - short)
    with pytest.raises(ValueError) as refusal:
        split(contract, gap, history)
    found = re.search(r"needs at least (\d+) nights of history, there are (\d+)", str(refusal.value))
    assert found is not None
    needed, present = map(int, found.groups())
    # What the message asks for is enough, and one night less is not: both are counted in the same way.
    assert split(contract, gap, history + needed - present).gap_nights == gap
    with pytest.raises(ValueError, match="needs at least"):
        split(contract, gap, history + needed - present - 1)

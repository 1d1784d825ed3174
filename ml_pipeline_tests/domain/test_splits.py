import re
from datetime import date, time, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.project import load_project
from ml_pipeline.contracts.training import Embargo, TrainingContract
from ml_pipeline.domain.split_rules import misplaced_blocks
from ml_pipeline.domain.splits import Block, Blocks, Fold, gap_nights, split_blocks, walk_forward
from ml_pipeline.nights import NightCalendar, lookback_nights, nights_between

FIRST = date(2024, 1, 1)
FLIGHTS = Path(__file__).parents[2] / "dbt_like_sql" / "nyc_flights"
EMBARGOES: tuple[Embargo, ...] = ("label_horizon", "longest_window")
ZONES = st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
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


@given(st.integers(1, 20), st.integers(0, 40))
def test_a_gap_is_as_long_as_its_reason_asks_for_and_no_longer(horizon: int, window: int) -> None:
    """Counted night by night: where outcomes of the last night of a block may land, and what the next block reads."""
    last = FIRST
    landings = set(nights_between(last, last + timedelta(days=horizon)))
    for embargo in EMBARGOES:
        gap = gap_nights(embargo, label_horizon_nights=horizon, label_window_nights=window)
        next_first = last + timedelta(days=gap + 1)
        assert max(landings) < next_first, "every label is known before the next block is scored"
        read = set(lookback_nights(next_first, window, first_night=date.min)) if window else set()
        read_with_less = {night - timedelta(days=1) for night in read}
        if embargo == "longest_window":
            assert not read & landings, "no outcome is a label here and part of a feature there"
            assert gap == horizon or read_with_less & landings, "one night less would not do"
        else:
            assert gap == horizon


@given(CONTRACTS, st.integers(1, 9), st.integers(0, 30), st.integers(0, 60), st.sampled_from(EMBARGOES))
def test_the_embargo_parts_the_blocks_and_leaves_the_end_of_the_test_block(
    contract: TrainingContract, horizon: int, window: int, spare: int, embargo: Embargo
) -> None:
    contract = contract.model_copy(update={"embargo": embargo})
    gap = gap_nights(embargo, label_horizon_nights=horizon, label_window_nights=window)
    history = least_history(contract, gap) - gap + horizon + spare
    trained_on = FIRST + timedelta(days=history)
    blocks = split_blocks(
        contract, trained_on=trained_on, first_night=FIRST, label_horizon_nights=horizon, label_window_nights=window
    )
    assert blocks.gap_nights == gap
    assert (trained_on - blocks.test.last).days == horizon
    assert [(later.first - earlier.last).days - 1 for earlier, later in pairwise(blocks.in_order)] == [gap] * 3
    assert blocks.train.length == spare + 1
    with pytest.raises(ValueError, match=f"needs at least {least_history(contract, gap) - gap + horizon} nights"):
        split_blocks(
            contract, trained_on=trained_on - timedelta(days=spare + 1), first_night=FIRST,
            label_horizon_nights=horizon, label_window_nights=window,
        )  # fmt: skip


@given(
    st.dates(date(1999, 1, 1), date(2040, 1, 1)), ZONES, st.times(), st.integers(0, 7), st.integers(1, 9),
    st.integers(0, 200),
)  # fmt: skip
def test_whatever_the_calendar_labels_are_known_before_the_next_block_is_scored(
    first: date, zone: str, cutoff_time: time, days_before: int, horizon: int, spare: int
) -> None:
    """Clock changes, leap years and cutoffs on any day: blocks are counted in nights, and nights never change places."""
    calendar = NightCalendar(zone, cutoff_time.replace(fold=0), days_before, first)
    contract = TrainingContract(
        warmup_nights=3, early_stop_nights=5, calibrate_nights=6, test_nights=7, seed=1, max_trees=1, patience_trees=1,
        lightgbm={},
    )  # fmt: skip
    trained_on = first + timedelta(days=least_history(contract, horizon) + spare)
    blocks = split_blocks(contract, trained_on=trained_on, first_night=first, label_horizon_nights=horizon)
    used = [night for block in blocks.in_order for night in nights_between(block.first, block.last)]
    assert used == sorted(set(used)), "no night twice, and none out of order"
    for earlier, later in pairwise(blocks.in_order):
        labels_known_by = calendar.cutoff(earlier.last + timedelta(days=horizon))
        assert labels_known_by < calendar.cutoff(later.first)
    assert calendar.cutoff(blocks.test.last + timedelta(days=horizon)) == calendar.cutoff(trained_on)
    everything = nights_between(first, trained_on)
    unused = 3 + 3 * horizon + horizon  # warm-up, gaps, and the nights from the test block to the training
    assert len(used) == len(everything) - unused


def test_the_blocks_of_the_default_project_stay_where_they_were() -> None:
    project = load_project(FLIGHTS)
    found = split_blocks(
        project.training, trained_on=project.default_run.train_on, first_night=project.first_night,
        label_horizon_nights=project.label.horizon_nights, label_window_nights=28,
    )  # fmt: skip
    assert found == Blocks(
        Block("train", date(2013, 1, 8), date(2013, 5, 5)), Block("early_stop", date(2013, 5, 8), date(2013, 5, 21)),
        Block("calibrate", date(2013, 5, 24), date(2013, 6, 13)), Block("test", date(2013, 6, 16), date(2013, 6, 29)), 2,
    )  # fmt: skip


SHAPES = st.fixed_dictionaries({
    "folds": st.integers(1, 8), "validate_nights": st.integers(1, 20), "gap_nights": st.integers(0, 10),
    "least_train_nights": st.integers(1, 30),
})  # fmt: skip


def shortest(shape: dict[str, int]) -> int:
    return shape["folds"] * shape["validate_nights"] + shape["gap_nights"] + shape["least_train_nights"]


def train_block(nights: int, first: date = FIRST) -> Block:
    return Block("train", first, first + timedelta(days=nights - 1))


def nights_of(block: Block) -> set[date]:
    return set(nights_between(block.first, block.last))


@given(
    SHAPES, st.integers(0, 60), st.one_of(st.none(), st.integers(0, 60)), st.dates(date(1999, 1, 1), date(2040, 1, 1))
)
def test_folds_walk_forward_through_the_train_block(
    shape: dict[str, int], spare: int, extra: int | None, first: date
) -> None:
    train = train_block(shortest(shape) + spare, first)
    longest = None if extra is None else shape["least_train_nights"] + extra
    folds = walk_forward(train, **shape, longest_train_nights=longest)
    assert [fold.number for fold in folds] == list(range(1, shape["folds"] + 1))
    assert folds[-1].validate.last == train.last
    validated = sorted(night for fold in folds for night in nights_of(fold.validate))
    count = shape["folds"] * shape["validate_nights"]
    assert validated == list(nights_between(train.last - timedelta(days=count - 1), train.last)), "each night once"
    for fold in folds:
        assert misplaced_blocks(fold.in_order, shape["gap_nights"]) == []
        assert [block.purpose for block in fold.in_order] == ["train", "validate"]
        assert (fold.validate.first - fold.train.last).days - 1 == shape["gap_nights"]
        assert nights_of(fold.train) | nights_of(fold.validate) <= nights_of(train)
        assert fold.train.length >= shape["least_train_nights"]
        if longest is None:
            assert fold.train.first == train.first
        else:
            assert fold.train.length <= longest
            assert fold.train.first == train.first or fold.train.length == longest
    for earlier, later in pairwise(folds):
        assert (later.train.last - earlier.train.last).days == shape["validate_nights"]
        assert earlier.train.first <= later.train.first


@given(SHAPES)
def test_folds_need_the_history_that_the_refusal_asks_for(shape: dict[str, int]) -> None:
    least = shortest(shape)
    assert walk_forward(train_block(least), **shape)[0].train.length == shape["least_train_nights"]
    with pytest.raises(
        ValueError, match=rf"need at least {least} nights, .* has {least - 1}; use fewer or shorter folds"
    ):
        walk_forward(train_block(least - 1), **shape)


def test_a_fold_by_hand() -> None:
    folds = walk_forward(train_block(20), folds=2, validate_nights=3, gap_nights=2, longest_train_nights=10)
    assert folds == (
        Fold(1, Block("train", date(2024, 1, 3), date(2024, 1, 12)), Block("validate", date(2024, 1, 15), date(2024, 1, 17))),
        Fold(2, Block("train", date(2024, 1, 6), date(2024, 1, 15)), Block("validate", date(2024, 1, 18), date(2024, 1, 20))),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"folds": 0}, "at least one night"), ({"validate_nights": 0}, "at least one night"),
     ({"gap_nights": -1}, "no fewer than none"), ({"least_train_nights": 0}, "at least one night"),
     ({"longest_train_nights": 0}, "raise longest_train_nights"),
     ({"longest_train_nights": 4, "least_train_nights": 5}, "raise longest_train_nights")],
)  # fmt: skip
def test_numbers_that_make_no_folds_are_refused(wrong: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        walk_forward(train_block(100), **({"folds": 3, "validate_nights": 7, "gap_nights": 2} | wrong))

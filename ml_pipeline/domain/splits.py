"""Time blocks: which nights train, stop early, calibrate and test a model, and the gaps between them."""

from dataclasses import dataclass

from ml_pipeline.contracts.training import Embargo, TrainingContract
from ml_pipeline.nights import Night, nights_back


@dataclass(frozen=True)
class Block:
    """Nights ``first`` to ``last``, both included, that serve one purpose."""

    purpose: str
    first: Night
    last: Night

    @property
    def length(self) -> int:
        """In nights."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Blocks:
    """The four blocks of one training, in order of time, parted by ``gap_nights`` unused nights each."""

    train: Block
    early_stop: Block
    calibrate: Block
    test: Block
    gap_nights: int

    @property
    def in_order(self) -> tuple[Block, ...]:
        return (self.train, self.early_stop, self.calibrate, self.test)


@dataclass(frozen=True)
class Fold:
    """One step of a walk forward: learn from ``train``, be judged on ``validate``; ``number`` counts from 1."""

    number: int
    train: Block
    validate: Block

    @property
    def in_order(self) -> tuple[Block, ...]:
        return (self.train, self.validate)


def gap_nights(embargo: Embargo, *, label_horizon_nights: int, label_window_nights: int) -> int:
    """Unused nights between two blocks (purging and embargo, López de Prado, Advances in Financial Machine Learning,
    2018, ch. 7).

    A feature is made from what was known at its own row's cutoff, so no gap is needed to keep later outcomes out of it.
    What a gap must keep apart are the labels of a block and the rows of the next one:

    - ``label_horizon``: the horizon. The labels of a block's last night are known so many nights after it, hence before
      the first night of the next block is scored: what the earlier block teaches could have been taught by then.
    - ``longest_window``: the horizon and the window, less the night that both share. Features of the later block do hold
      outcomes that are labels of the earlier one. Outcomes of night ``L`` land up to night ``L + horizon``; the window of
      night ``N`` opens landings from night ``N - window + 1`` on. With this gap no outcome is both.

    The default is ``label_horizon``, because the second thing is no leak: on every night that it serves, the model is
    given the outcomes of its training nights in the same way, and a test without them would judge it on older features
    than it will ever get. The price of the longer gap, about a window a border, is paid in training nights and in the age
    of the model that is tested. It is for those who need a test that shares no outcome with the training.

    Args:
        embargo: the rule.
        label_horizon_nights: after so many nights all but stragglers of a night's labels are known.
        label_window_nights: the longest lookback of features that read what the label is made from, 0 if none does.
    """
    if embargo == "label_horizon":
        return label_horizon_nights
    return label_horizon_nights + max(label_window_nights - 1, 0)


def split_blocks(
    contract: TrainingContract,
    *,
    trained_on: Night,
    first_night: Night,
    label_horizon_nights: int,
    label_window_nights: int = 0,
) -> Blocks:
    """Lay the blocks backwards from ``trained_on``; the train block takes what is left after the warm-up.

    It takes all of that, or its last ``history_nights``.

    The test block ends ``label_horizon_nights`` before ``trained_on``, so that its labels are known by then.

    Raises:
        ValueError: too few nights lie before ``trained_on``; says how many are needed.
    """
    gap = gap_nights(
        contract.embargo, label_horizon_nights=label_horizon_nights, label_window_nights=label_window_nights
    )
    lengths = (
        ("test", contract.test_nights),
        ("calibrate", contract.calibrate_nights),
        ("early_stop", contract.early_stop_nights),
    )
    last = nights_back(trained_on, label_horizon_nights)
    blocks = {}
    for purpose, length in lengths:
        blocks[purpose] = Block(purpose, nights_back(last, length - 1), last)
        last = nights_back(blocks[purpose].first, gap + 1)
    first = nights_back(first_night, -contract.warmup_nights)
    if last < first:
        needed = (trained_on - last).days + contract.warmup_nights
        raise ValueError(
            f"training as of {trained_on} needs at least {needed} nights of history, there are "
            f"{(trained_on - first_night).days}; train later, or shorten the blocks in project.yml"
        )
    if contract.history_nights is not None:
        first = max(first, nights_back(last, contract.history_nights - 1))
    return Blocks(Block("train", first, last), blocks["early_stop"], blocks["calibrate"], blocks["test"], gap)


def walk_forward(
    train: Block,
    *,
    folds: int,
    validate_nights: int,
    gap_nights: int,
    least_train_nights: int = 1,
    longest_train_nights: int | None = None,
) -> tuple[Fold, ...]:
    """Folds inside ``train``, oldest first: each learns from nights before those on which it is judged.

    The validate blocks lie end to end and the last one ends with ``train``, so each of their nights is judged once and
    ``train`` keeps its own gap to what follows it. A fold's train block ends ``gap_nights`` before its validate block. It
    begins with ``train`` (an expanding window), or at most ``longest_train_nights`` before its end (a sliding one).
    Later folds learn from nights that validated earlier ones, as a later training does.

    Raises:
        ValueError: ``train`` is too short to leave the first fold ``least_train_nights``; says how many are needed. Or a
            number makes no sense.
    """
    longest = longest_train_nights or train.length
    if min(folds, validate_nights, least_train_nights, longest) < 1 or gap_nights < 0:
        raise ValueError("folds and their blocks have at least one night each, and a gap has no fewer than none")
    if longest_train_nights is not None and longest_train_nights < least_train_nights:
        raise ValueError(
            f"a train block of at most {longest_train_nights} nights cannot have at least {least_train_nights}; "
            "raise longest_train_nights or lower least_train_nights"
        )
    needed = folds * validate_nights + gap_nights + least_train_nights
    if train.length < needed:
        raise ValueError(
            f"{folds} folds of {validate_nights} validate nights with a gap of {gap_nights} need at least {needed} nights, "
            f"block {train.purpose} ({train.first} to {train.last}) has {train.length}; use fewer or shorter folds, or "
            "train later"
        )
    found = []
    for number in range(1, folds + 1):
        last = nights_back(train.last, (folds - number) * validate_nights)
        validate = Block("validate", nights_back(last, validate_nights - 1), last)
        end = nights_back(validate.first, gap_nights + 1)
        first = max(train.first, nights_back(end, longest - 1))
        found.append(Fold(number, Block("train", first, end), validate))
    return tuple(found)

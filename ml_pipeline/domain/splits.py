"""Time blocks: which nights train, stop early, calibrate and test a model, and the gaps between them."""

from dataclasses import dataclass

from ml_pipeline.contracts.project import TrainingContract
from ml_pipeline.nights import Night, nights_back


@dataclass(frozen=True)
class Block:
    """Nights ``first`` to ``last``, both included, that serve one purpose."""

    purpose: str
    first: Night
    last: Night


@dataclass(frozen=True)
class Blocks:
    """The four blocks of one training, in order of time, parted by ``gap_nights`` unused nights each.

    The gap is the label horizon: when the first night of a block is scored, every label of the block before it
    is known (purging and embargo, López de Prado, Advances in Financial Machine Learning, 2018, ch. 7).
    """

    train: Block
    early_stop: Block
    calibrate: Block
    test: Block
    gap_nights: int

    @property
    def in_order(self) -> tuple[Block, ...]:
        return (self.train, self.early_stop, self.calibrate, self.test)


def split_blocks(
    contract: TrainingContract, *, trained_on: Night, first_night: Night, label_horizon_nights: int
) -> Blocks:
    """Lay the blocks backwards from ``trained_on``; the train block takes all that is left after the warm-up.

    The test block ends ``label_horizon_nights`` before ``trained_on``, so that its labels are known by then.

    Raises:
        ValueError: too few nights lie before ``trained_on``; says how many are needed.
    """
    gap = label_horizon_nights
    lengths = (
        ("test", contract.test_nights),
        ("calibrate", contract.calibrate_nights),
        ("early_stop", contract.early_stop_nights),
    )
    last = nights_back(trained_on, gap)
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
    return Blocks(Block("train", first, last), blocks["early_stop"], blocks["calibrate"], blocks["test"], gap)

"""The split of a training: its blocks, and the rows that it may see, with the labels known by its night."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.splits import Block, Blocks, split_blocks
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.tuned_training import AppliedTuning


@dataclass(frozen=True)
class LabelledRows:
    """Feature rows in (score_date, key) order with their labels (0 or 1); rows without a known label are left out."""

    rows: pa.Table
    labels: NDArray[np.float64]

    @property
    def nights(self) -> NDArray[np.datetime64]:
        return np.asarray(self.rows.column(SCORE_DATE).to_numpy())

    def block(self, block: Block) -> "LabelledRows":
        first, last = np.datetime64(block.first), np.datetime64(block.last)
        chosen = np.flatnonzero((self.nights >= first) & (self.nights <= last))
        if not len(chosen):
            raise LookupError(f"block {block.purpose} ({block.first} to {block.last}) has no row with a known label")
        return LabelledRows(self.rows.take(pa.array(chosen)), self.labels[chosen])


@dataclass(frozen=True)
class Split:
    """What a training as of ``night`` works with.

    Attributes:
        night: the night of the training.
        blocks: its blocks.
        rows: the labelled rows from the first night of the train block to the last one of the test block.
        features: all rows of these nights, also those without a known label.
        labels: the label table from the first of these nights to ``night``, as it was read to label ``rows``.
        versions: the Delta version of each table that was read, by name.
        tuning: where its parameters come from, None for the project's own.
    """

    night: Night
    blocks: Blocks
    rows: LabelledRows
    features: pa.Table
    labels: pa.Table
    versions: Mapping[str, int] = field(default_factory=dict)
    tuning: AppliedTuning | None = None


def open_split(
    site: Site, night: Night, *, versions: Mapping[str, int] | None = None, blocks: Blocks | None = None
) -> Split:
    """Read the split of a training as of ``night``, from partitions up to it.

    Features and labels are read as of ``versions`` (by table), the newest ones, taken once, if None. The blocks are those
    of the project's training, or ``blocks``.

    Raises:
        ValueError: too little history. LookupError: features or labels of a needed night are missing.
    """
    blocks = blocks or training_blocks(site, night)
    first, last = blocks.train.first, blocks.test.last
    table = features_table(site.sql)
    taken = versions if versions is not None else {name: site.tables.version(name) for name in (table, LABELS)}
    features, labels = _read(site, table, first=first, last=last, known_by=night, versions=taken)
    return Split(night, blocks, _label(features, labels, site.project.entity_key), features, labels, taken)


def training_blocks(site: Site, night: Night) -> Blocks:
    """The blocks of a training as of ``night``; raises ValueError if there is too little history."""
    return split_blocks(
        site.project.training, trained_on=night, first_night=site.project.first_night,
        label_horizon_nights=site.project.label.horizon_nights, label_window_nights=label_window_nights(site),
    )  # fmt: skip


def label_window_nights(site: Site) -> int:
    """The longest lookback of feature models on a source that the label is made from, 0 if they read none."""
    told_by = site.sql.lookbacks(site.sql.needed_for([site.project.label.model]))
    windows = site.sql.lookbacks(site.sql.feature_models)
    return max((days or 0 for source, days in windows.items() if told_by.get(source) is not None), default=0)


def labelled_rows(site: Site, table: str, *, first: Night, last: Night, known_by: Night) -> LabelledRows:
    """Rows of feature table ``table`` for nights ``first`` to ``last``, with labels from partitions up to ``known_by``.

    Raises:
        LookupError: a night's features or labels were never built; names them and what to materialise.
    """
    features, labels = _read(site, table, first=first, last=last, known_by=known_by, versions={})
    return _label(features, labels, site.project.entity_key)


def _read(
    site: Site, table: str, *, first: Night, last: Night, known_by: Night, versions: Mapping[str, int]
) -> tuple[pa.Table, pa.Table]:
    nights, label_nights = nights_between(first, last), nights_between(first, known_by)
    require_built(site, table, nights, version=versions.get(table))
    require_built(site, LABELS, label_nights, version=versions.get(LABELS))
    # A total order: equal rows in another order would grow other trees.
    order = [(name, "ascending") for name in (SCORE_DATE, *site.project.entity_key)]
    features = site.tables.read(table, nights, version=versions.get(table))
    return features.sort_by(order), site.tables.read(LABELS, label_nights, version=versions.get(LABELS))


def _label(features: pa.Table, labels: pa.Table, key: Sequence[str]) -> LabelledRows:
    found = match_labels(features, labels, key)
    is_known = ~np.isnan(found)
    return LabelledRows(features.filter(pa.array(is_known)).combine_chunks(), found[is_known])


def require_built(site: Site, table: str, nights: tuple[Night, ...], *, version: int | None = None) -> None:
    """Raise LookupError if a night of a built table is missing: an absent night must not pass for an empty one."""
    published = site.tables.published(table, nights, version=version)
    missing = [night for night in nights if night not in published]
    if missing:
        asset = table.split("/", maxsplit=1)[0]
        raise LookupError(
            f"{asset} has not been built for {len(missing)} of the nights that are needed ({missing[0]} to {missing[-1]}); "
            f"materialise {asset} for them first"
        )

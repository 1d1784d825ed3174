"""The rows that a training may see: features of its blocks with the labels known by its night."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.splits import Block
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.site import Site


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


def labelled_rows(site: Site, table: str, *, first: Night, last: Night, known_by: Night) -> LabelledRows:
    """Rows of feature table ``table`` for nights ``first`` to ``last``, with labels from partitions up to ``known_by``.

    Raises:
        LookupError: a night's features or labels were never built; names them and what to materialise.
    """
    nights = nights_between(first, last)
    require_built(site, table, nights)
    label_nights = nights_between(first, known_by)
    require_built(site, LABELS, label_nights)
    key = site.project.entity_key
    rows = site.tables.read(table, nights)
    # A total order: equal rows in another order would grow other trees.
    rows = rows.sort_by([(name, "ascending") for name in (SCORE_DATE, *key)])
    labels = match_labels(rows, site.tables.read(LABELS, label_nights), key)
    is_known = ~np.isnan(labels)
    return LabelledRows(rows.filter(pa.array(is_known)).combine_chunks(), labels[is_known])


def require_built(site: Site, table: str, nights: tuple[Night, ...]) -> None:
    """Raise LookupError if a night of a built table is missing: an absent night must not pass for an empty one."""
    published = site.tables.published(table)
    missing = [night for night in nights if night not in published]
    if missing:
        asset = table.split("/", maxsplit=1)[0]
        raise LookupError(
            f"{asset} has not been built for {len(missing)} of the nights that are needed ({missing[0]} to {missing[-1]}); "
            f"materialise {asset} for them first"
        )

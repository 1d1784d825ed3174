"""Which of the rows that were read may land: contract, duplicates, and the sum that must come out."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.rows import BrokenRule, broken_rules
from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE, SourceContract


@dataclass(frozen=True)
class RowAccount:
    """Where the rows of one night went. ``is_balanced`` is the conservation law of landing."""

    read: int
    landed: int
    quarantined: int
    deduplicated: int

    @property
    def is_balanced(self) -> bool:
        return self.landed + self.quarantined + self.deduplicated == self.read

    @property
    def quarantined_share(self) -> float:
        return self.quarantined / self.read if self.read else 0.0


@dataclass(frozen=True)
class SortedRows:
    """Rows of one source parted by what may happen to them.

    Attributes:
        rows: the rows as they were read.
        landed: rows that keep the contract, in key order, with ``score_date``.
        broken: what is wrong with the quarantined rows; ``BrokenRule.row`` is a position in the rows read.
        accounts: one account a night, keyed by ISO night.
    """

    rows: pa.Table
    landed: pa.Table
    broken: tuple[BrokenRule, ...]
    accounts: dict[str, RowAccount]


def sort_rows(rows: pa.Table, contract: SourceContract) -> SortedRows:
    """Part ``rows`` (contract columns plus ``score_date``) into landed, quarantined and deduplicated ones.

    Exact copies within a night are dropped and counted. Rows of one night that share key and ``known_at`` but
    differ elsewhere are all quarantined: either could be true, and keeping one would be a guess.
    """
    contents = rows.select(list(contract.column_names))
    broken = broken_rules(contents, contract)
    is_broken = np.zeros(rows.num_rows, dtype=bool)
    is_broken[[rule.row for rule in broken]] = True
    copies = _positions_of_copies(rows, is_broken)
    is_copy = np.zeros(rows.num_rows, dtype=bool)
    is_copy[copies] = True
    conflicts = _positions_of_conflicts(rows, contract, is_broken | is_copy)
    is_broken[conflicts] = True
    broken += tuple(_conflict(rows, contract, position) for position in conflicts)
    keep = ~(is_broken | is_copy)
    order = [(SCORE_DATE, "ascending"), *((name, "ascending") for name in (*contract.key, KNOWN_AT))]
    landed = rows.filter(pa.array(keep)).sort_by(order)
    return SortedRows(rows, landed, broken, _accounts(rows, landed, is_broken, is_copy))


def _positions_of_copies(rows: pa.Table, is_broken: np.ndarray) -> np.ndarray:
    numbered = rows.append_column("_position", pa.array(np.arange(rows.num_rows)))
    numbered = numbered.filter(pa.array(~is_broken))
    firsts = numbered.group_by(rows.schema.names).aggregate([("_position", "min")])["_position_min"]
    return np.setdiff1d(numbered["_position"].to_numpy(), firsts.to_numpy())


def _positions_of_conflicts(rows: pa.Table, contract: SourceContract, is_out: np.ndarray) -> np.ndarray:
    identity = [SCORE_DATE, *contract.key, KNOWN_AT]
    numbered = rows.select(identity).append_column("_position", pa.array(np.arange(rows.num_rows)))
    numbered = numbered.filter(pa.array(~is_out))
    groups = numbered.group_by(identity).aggregate([("_position", "count"), ("_position", "list")])
    crowded = groups.filter(pc.greater(groups["_position_count"], 1))["_position_list"]
    return np.sort(pc.list_flatten(crowded).to_numpy())


def _conflict(rows: pa.Table, contract: SourceContract, position: int) -> BrokenRule:
    values = [str(rows.column(name)[int(position)].as_py()) for name in contract.key]
    return BrokenRule(int(position), "one row per key and known_at", ",".join(contract.key), ",".join(values))


def _accounts(rows: pa.Table, landed: pa.Table, is_broken: np.ndarray, is_copy: np.ndarray) -> dict[str, RowAccount]:
    # Each count comes from the table that it is about, so that a row lost on the way unbalances the account.
    read, kept = _rows_by_night(rows), _rows_by_night(landed)
    quarantined = _rows_by_night(rows.filter(pa.array(is_broken)))
    copied = _rows_by_night(rows.filter(pa.array(is_copy)))
    return {
        night: RowAccount(count, kept.get(night, 0), quarantined.get(night, 0), copied.get(night, 0))
        for night, count in read.items()
    }


def _rows_by_night(rows: pa.Table) -> dict[str, int]:
    counts = rows.column(SCORE_DATE).value_counts()
    pairs = sorted((entry["values"].as_py().isoformat(), entry["counts"].as_py()) for entry in counts)
    return dict(pairs)

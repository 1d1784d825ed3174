"""Which of the rows that were read may land: contract, duplicates, and the sum that must come out."""

import unicodedata
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.rows import PERSONAL, BrokenRule, broken_rules, texts_of
from ml_pipeline.contracts.source import FAULT, KNOWN_AT, SCORE_DATE, SourceContract

ONE_ROW_PER_KEY = "one row per key and known_at"


@dataclass(frozen=True)
class RowAccount:
    """Where the rows of one night went. ``is_balanced`` is the conservation law of landing.

    ``released`` of the rows that were read, and landed, came out of an earlier night's quarantine.
    """

    read: int
    landed: int
    quarantined: int
    deduplicated: int
    released: int = 0

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
    differ elsewhere are all quarantined: either could be true, and keeping one would be a guess. Text of a key lands
    in Unicode's composed form (NFC); rows whose keys only differ by that form contradict each other too.

    Args:
        rows: contract columns, ``score_date``, and, where a connector found one, ``_fault``: "column: rule" of a row that
            goes into quarantine whatever else it is, null for the others.
        contract: of the source.
    """
    broken = _told_beforehand(rows, contract)
    rows = rows.select([*contract.column_names, SCORE_DATE])
    broken += broken_rules(rows.select(list(contract.column_names)), contract)
    is_broken = np.zeros(rows.num_rows, dtype=bool)
    is_broken[[rule.row for rule in broken]] = True
    copies = _positions_of_copies(rows, contract, is_broken)
    is_copy = np.zeros(rows.num_rows, dtype=bool)
    is_copy[copies] = True
    composed = _composed_keys(rows, contract)
    conflicts = _positions_of_conflicts(composed, contract, is_broken | is_copy)
    is_broken[conflicts] = True
    broken += tuple(_conflict(rows, contract, position) for position in conflicts)
    keep = ~(is_broken | is_copy)
    order = [(SCORE_DATE, "ascending"), *((name, "ascending") for name in (*contract.key, KNOWN_AT))]
    landed = composed.filter(pa.array(keep)).sort_by(order)
    return SortedRows(rows, landed, broken, _accounts(rows, landed, is_broken, is_copy))


def with_released(sorted_rows: SortedRows, released: pa.Table, contract: SourceContract) -> SortedRows:
    """Add rows that a person has released from quarantine; they are read and landed by the night of their release.

    Raises:
        ValueError: a released row and another one would share key and instant.
    """
    if not released.num_rows:
        return sorted_rows
    identity = [SCORE_DATE, *contract.key, KNOWN_AT]
    landed = pa.concat_tables([sorted_rows.landed, released.select(sorted_rows.landed.schema.names)])
    landed = landed.sort_by([(name, "ascending") for name in identity]).combine_chunks()
    if landed.group_by(identity).aggregate([]).num_rows < landed.num_rows:
        raise ValueError(
            f"source {contract.name}: a released row shares its key and instant with another row of the night"
        )
    accounts = dict(sorted_rows.accounts)
    for night, count in _rows_by_night(released).items():
        before = accounts.get(night, RowAccount(0, 0, 0, 0))
        accounts[night] = replace(
            before, read=before.read + count, landed=before.landed + count, released=before.released + count
        )
    return replace(sorted_rows, landed=landed, accounts=accounts)


def _told_beforehand(rows: pa.Table, contract: SourceContract) -> tuple[BrokenRule, ...]:
    if FAULT not in rows.schema.names:
        return ()
    faults, broken = rows.column(FAULT), []
    for place in np.flatnonzero(pc.is_valid(faults).to_numpy()).tolist():
        name, _, rule = faults[place].as_py().partition(": ")
        value = PERSONAL if name in contract.personal_columns else texts_of(rows.column(name).slice(place, 1))[0]
        broken.append(BrokenRule(place, rule, name, value))
    return tuple(broken)


def _composed_keys(rows: pa.Table, contract: SourceContract) -> pa.Table:
    """``rows`` with the text of their keys in NFC, so that two spellings of one letter are one key."""
    for name in contract.key:
        column = rows.column(name)
        # Arrow's own utf8_normalize leaves letters apart, seen in version 25; the standard library composes them.
        if pa.types.is_string(column.type) and not pc.all(pc.string_is_ascii(column)).as_py():
            encoded = column.combine_chunks().dictionary_encode()
            values = [
                None if value is None else unicodedata.normalize("NFC", value)
                for value in encoded.dictionary.to_pylist()
            ]
            composed = pa.array(values, pa.string()).take(encoded.indices)
            rows = rows.set_column(rows.schema.get_field_index(name), name, composed)
    return rows


def _positions_of_copies(rows: pa.Table, contract: SourceContract, is_broken: np.ndarray) -> np.ndarray:
    # Copies share a key and an instant, as hardly any rows do: only those that do are compared whole.
    places = _positions_of_conflicts(rows, contract, is_broken)
    numbered = rows.take(pa.array(places)).append_column("_position", pa.array(places))
    firsts = numbered.group_by(rows.schema.names).aggregate([("_position", "min")])["_position_min"]
    return np.setdiff1d(places, firsts.to_numpy())


def _positions_of_conflicts(rows: pa.Table, contract: SourceContract, is_out: np.ndarray) -> np.ndarray:
    identity = [SCORE_DATE, *contract.key, KNOWN_AT]
    numbered = rows.select(identity).append_column("_position", pa.array(np.arange(rows.num_rows)))
    numbered = numbered.filter(pa.array(~is_out))
    groups = numbered.group_by(identity).aggregate([("_position", "count"), ("_position", "list")])
    crowded = groups.filter(pc.greater(groups["_position_count"], 1))["_position_list"]
    places: np.ndarray = np.sort(pc.list_flatten(crowded).to_numpy())
    return places


def _conflict(rows: pa.Table, contract: SourceContract, position: int) -> BrokenRule:
    personal = contract.personal_columns
    values = [
        PERSONAL if name in personal else texts_of(rows.column(name).slice(int(position), 1))[0]
        for name in contract.key
    ]
    return BrokenRule(int(position), ONE_ROW_PER_KEY, ",".join(contract.key), ",".join(values))


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

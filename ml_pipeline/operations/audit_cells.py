"""Audits single published cells against the use case's own oracle, which knows nothing of the SQL."""

import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ml_pipeline.contracts.night_rows import rows_by_night
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.oracle import Cell, load_oracle
from ml_pipeline.nights import Night, lookback_nights, nights_back
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.counterfactual import longest_lookback
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import require_built

if TYPE_CHECKING:
    import pandas as pd

# The oracle is shown what landed after the last night too: a cell that was made from it would show.
_LATER_NIGHTS = 3
# Sums in another order differ in the last digits. No two whole numbers below 500 million are this close.
_RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class _DrawnCell:
    """One published cell: the entity key, the night, the feature, and the value."""

    key: dict[str, object]
    night: Night
    feature: str
    published: Cell


def check_cells(site: Site, nights: Sequence[Night], cells: int) -> Audit:
    """Compare ``cells`` random cells of published ``nights`` with the oracle; the same nights draw the same cells.

    No trial where the use case brings no oracle, or where the nights have no rows. Features take turns, so that as many
    cells as features look at each of them. Features that the oracle does not name are left out.

    Raises:
        LookupError: a night's features were never built, or the oracle names no feature of the project.
    """
    oracle_class = load_oracle(site.sql.folder)
    if oracle_class is None:
        return Audit(0, ())
    drawn = _draw(site, sorted(set(nights)), cells, oracle_class.features)
    if not drawn:
        return Audit(0, ())
    oracle = oracle_class(_landed(site, [cell.night for cell in drawn]), site.calendar)
    violations = []
    for cell in drawn:
        expected = oracle.cell(cell.key, cell.night, cell.feature)
        if not _agree(cell.published, expected):
            key = ", ".join(f"{name} {value}" for name, value in cell.key.items())
            violations.append(f"{cell.night}: {cell.feature} of {key}: published {cell.published}, oracle {expected}")
    return Audit(len(drawn), tuple(violations))


def _draw(site: Site, nights: Sequence[Night], cells: int, known: Collection[str]) -> list[_DrawnCell]:
    table, key = features_table(site.sql), list(site.project.entity_key)
    require_built(site, table, tuple(nights))
    published = site.tables.published(table)
    names = [feature.name for feature in site.sql.features if feature.name in known]
    if not names:
        raise LookupError(f"the oracle in {site.sql.folder} names no feature of this project; see features.yml")
    filled = [night for night in nights if published[night].rows]
    if not filled:
        return []
    generator = random.Random("|".join(str(night) for night in nights))  # noqa: S311 - a sample, no secret
    generator.shuffle(names)
    picks = [(generator.choice(filled), names[number % len(names)]) for number in range(cells)]
    rows = site.tables.read(table, filled, [*key, *names[:cells]])
    parts = rows_by_night(rows, filled)
    return [_cell(parts[night], generator.randrange(parts[night].num_rows), key, name) for night, name in picks]


def _cell(rows: pa.Table, position: int, key: Sequence[str], name: str) -> _DrawnCell:
    row = rows.slice(position, 1).to_pylist()[0]
    return _DrawnCell({column: row[column] for column in key}, row[SCORE_DATE], name, row[name])


def _landed(site: Site, nights: Sequence[Night]) -> dict[str, "pd.DataFrame"]:
    """Each source's landed rows that one of ``nights`` may look back at, and a few nights more."""
    beginning, last = site.calendar.first_night, nights_back(max(nights), -_LATER_NIGHTS)
    earliest = lookback_nights(min(nights), longest_lookback(site), first_night=beginning)[0]
    frames = {}
    for name, contract in site.sql.sources.items():
        first = beginning if contract.reference else earliest
        landed = [night for night in site.tables.published(f"raw/{name}") if first <= night <= last]
        frames[name] = site.tables.read(f"raw/{name}", landed).to_pandas()
    return frames


def _agree(published: Cell, expected: Cell) -> bool:
    if isinstance(published, str | None) or isinstance(expected, str | None):
        return published == expected
    return math.isclose(published, expected, rel_tol=_RELATIVE_TOLERANCE)

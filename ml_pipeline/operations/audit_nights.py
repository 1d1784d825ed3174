"""Audits of nights against time: hostile rows after them, other nights beside them, rows that they may not know."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.source import KNOWN_AT, SourceContract
from ml_pipeline.domain.hostile_rows import hostile_landing
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.nights import Night, NightCalendar, contiguous_runs, nights_back, nights_between
from ml_pipeline.operations.audit import Audit, same_as_published
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.counterfactual import Alter, altered_window, shuffle_rows
from ml_pipeline.operations.gate_probe import ShownRows, rows_shown
from ml_pipeline.operations.site import Site, features_table

_LATER_NIGHTS = 3
_NIGHTS_BEFORE = 2
_LONGEST_RANGE_NIGHTS = 10


def poisoned_future(site: Site, nights: Sequence[Night]) -> Audit:
    """Build each night in one range with the three nights after it, on which nothing but hostile rows lands.

    All that a later night has landed is made hostile, and every row that the night may know is claimed anew by one of
    them, with other values and a clock of long ago. The night must be what is published. A trial is a night.

    Raises:
        LookupError: a night's features were never built.
    """
    built = {}
    for night in nights:
        last = nights_back(night, -_LATER_NIGHTS)
        with altered_window(site, night, last, _hostile_after(night)) as tables:
            runner = GatedRunner(site.sql, tables, site.calendar, threads=site.threads)
            built[night] = runner.build_features(night, last)
    return same_as_published(site, built, "with hostile rows after it")


def shuffled_nights(site: Site, nights: Sequence[Night]) -> Audit:
    """Build nights from files whose rows lie in a random order: all in one range, and each alone, in random order.

    The range begins two nights before the first of ``nights`` and ends a night after the last, so that each has
    neighbours on both sides. All must be what is published; neighbours that never were are left out. A trial is a
    build of a night. One night has no order, and alone it is ``rebuild_alone``'s.

    Raises:
        LookupError: the features of one of ``nights`` were never built.
    """
    published = site.tables.published(features_table(site.sql))
    audits = []
    for first, last in contiguous_runs(nights, longest=_LONGEST_RANGE_NIGHTS):
        start = max(nights_back(first, _NIGHTS_BEFORE), site.calendar.first_night)
        own = nights_between(first, last)
        with altered_window(site, start, nights_back(last, -1), _unaltered) as tables:
            shuffle_rows(tables, [*site.sql.sources], seed=first.toordinal())
            runner = GatedRunner(site.sql, tables, site.calendar, threads=site.threads)
            together = runner.build_features(start, nights_back(last, -1))
            order = np.random.default_rng(len(own)).permutation(len(own)).tolist() if len(own) > 1 else []
            alone = {own[place]: runner.build_features(own[place], own[place]) for place in order}
        beside = {night: together for night in nights_between(start, last) if night in {*own, *published}}
        audits.append(same_as_published(site, alone, "alone and its rows shuffled"))
        audits.append(same_as_published(site, beside, "in a range and its rows shuffled"))
    return _sum_of(audits)


def rows_read_are_known(site: Site, nights: Sequence[Night]) -> Audit:
    """Look at every row that a night landed, that the gate shows to it, and that its label table holds.

    A row must have been known by the cutoff of the night, in the window of the night that landed it, and within the
    lookback through which it is read. Each run of nights is asked for in one range with the two nights before it. A
    trial is a row seen by a night; a violation names night, relation and clocks.
    """
    trials = 0
    violations: list[str] = []
    for night in sorted(set(nights)):
        for table, rows in _clocks_of(site, night):
            trials += len(rows)
            violations.extend(f"{night}: {table} {told}" for told in _outside(site.calendar, night, rows))
    for first, last in contiguous_runs(nights, longest=_LONGEST_RANGE_NIGHTS):
        start = max(nights_back(first, _NIGHTS_BEFORE), site.calendar.first_night)
        for shown in rows_shown(site, start, last):
            trials += shown.rows
            violations.extend(f"{shown.night}: {shown.relation} {told}" for told in _unknown(site.calendar, shown))
    return Audit(trials, tuple(violations))


def _hostile_after(night: Night) -> Alter:
    def alter(contract: SourceContract, rows: pa.Table) -> pa.Table:
        return hostile_landing(rows, contract, night, later_nights=_LATER_NIGHTS)

    return alter


def _unaltered(_: SourceContract, rows: pa.Table) -> pa.Table:
    return rows


def _sum_of(audits: Sequence[Audit]) -> Audit:
    return Audit(sum(audit.trials for audit in audits), tuple(told for audit in audits for told in audit.violations))


def _clocks_of(site: Site, night: Night) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """The instants at which the rows became known that ``night`` holds, table by table."""
    clocks = {LABELS: "label_known_at", **{f"raw/{source}": KNOWN_AT for source in site.sql.sources}}
    for table, clock in clocks.items():
        if site.tables.exists(table):
            yield table, site.tables.read(table, [night], [clock]).column(clock)


def _outside(calendar: NightCalendar, night: Night, clocks: pa.ChunkedArray) -> Iterator[str]:
    if clocks.null_count:
        yield f"holds {clocks.null_count} rows of {night} that were never known"
    if clocks.null_count < len(clocks):
        bounds = pc.min_max(clocks).as_py()
        yield from _outside_window(calendar, night, bounds["min"], bounds["max"])


def _outside_window(calendar: NightCalendar, night: Night, first: datetime, last: datetime) -> Iterator[str]:
    window = calendar.known_window(night, night)
    if last > window.until:
        yield f"holds a row of {night} that was known at {last}, after the night's cutoff {window.until}"
    if window.after is not None and first <= window.after:
        yield f"holds a row of {night} that was known at {first}, by the cutoff {window.after} of the night before"


def _unknown(calendar: NightCalendar, shown: ShownRows) -> Iterator[str]:
    if shown.known_on > shown.night:
        yield f"shows {shown.rows} rows that landed on {shown.known_on} only"
    if shown.lookback_days and shown.known_on <= nights_back(shown.night, shown.lookback_days):
        yield f"shows {shown.rows} rows of {shown.known_on}, before its lookback of {shown.lookback_days} days"
    if shown.first_known_at is not None and shown.last_known_at is not None:
        yield from _outside_window(calendar, shown.known_on, shown.first_known_at, shown.last_known_at)

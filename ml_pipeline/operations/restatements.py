"""Builds earlier nights again as if the late rows of a night had come in time, and says which would have been other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.night_rows import rows_of_night
from ml_pipeline.contracts.source import SCORE_DATE, SourceContract
from ml_pipeline.domain.hindsight import Difference, difference, in_hindsight
from ml_pipeline.domain.lateness import expected_nights, judge_arrivals
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.nights import Night, lookback_nights, nights_between
from ml_pipeline.operations.build import stale_features
from ml_pipeline.operations.counterfactual import Alter, altered_landing, longest_lookback
from ml_pipeline.operations.site import Site, features_table


@dataclass(frozen=True)
class Restatement:
    """An earlier night whose features would have been other, and by how much."""

    night: Night
    difference: Difference
    content_hash_in_hindsight: str


def find_restatements(
    site: Site, night: Night, checked: Sequence[Night], versions: Mapping[str, pa.Table]
) -> list[Restatement]:
    """Which of ``checked`` would have been other, had the late rows and corrections of ``night`` come in time.

    Args:
        site: the installation; nothing in it changes.
        night: the night that landed them.
        checked: earlier nights, in order, that have features of the present SQL.
        versions: key and ``score_date`` of all that each source has landed up to ``night``.
    """
    first, last = checked[0], checked[-1]
    start = lookback_nights(first, longest_lookback(site), first_night=site.calendar.first_night)[0]
    with altered_landing(site, start, night, _in_time(site, start, night, versions)) as tables:
        rebuilt = GatedRunner(site.sql, tables, site.calendar, threads=site.threads).build_features(first, last)
    # Features that wait to be built again are compared as they would be now: only the late rows may tell the two apart.
    is_stale = bool(stale_features(site, checked))
    as_built = (
        site.tables.read(features_table(site.sql), checked)
        if not is_stale
        else site.runner().build_features(first, last)
    )
    found = []
    for past in checked:
        before, after = _of_night(site, as_built, past), _of_night(site, rebuilt, past)
        content = content_hash(after)
        if content != content_hash(before):
            found.append(Restatement(past, difference(before, after, site.project.entity_key), content))
    return found


def _in_time(site: Site, start: Night, night: Night, versions: Mapping[str, pa.Table]) -> Alter:
    calendar = site.calendar

    def alter(contract: SourceContract, rows: pa.Table) -> pa.Table:
        opened = nights_between(calendar.first_night if contract.reference else start, night)
        known = versions[contract.name]
        before = known.filter(pc.less(known.column(SCORE_DATE), pa.scalar(opened[0], pa.date32())))
        arrivals = judge_arrivals(rows, expected_nights(rows, contract, calendar), before, contract.key)
        return in_hindsight(rows, arrivals, {past: calendar.cutoff(past) for past in opened}, contract.key)

    return alter


def _of_night(site: Site, rows: pa.Table, night: Night) -> pa.Table:
    return rows_of_night(rows, night).sort_by([(name, "ascending") for name in (SCORE_DATE, *site.project.entity_key)])

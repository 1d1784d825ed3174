"""Reports what landed late and what corrected something, and which earlier nights it would have changed in time."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE, SourceContract
from ml_pipeline.contracts.tables import LATE_ARRIVALS_SCHEMA, RESTATEMENTS_SCHEMA
from ml_pipeline.domain.lateness import LATE, Arrivals, expected_nights, judge_arrivals, landing_nights
from ml_pipeline.io.table_store import NightInputs, PublishedNight, PublishResult, stale_nights
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.restatements import Restatement, find_restatements
from ml_pipeline.operations.site import Site, features_table, require_landed

LATE_ARRIVALS = "monitoring/late_arrivals"
RESTATEMENTS = "monitoring/restatements"
# A row that comes a year late would have changed a year of nights; the last four weeks tell enough, at a known cost.
_MOST_NIGHTS_CHECKED = 28
# No feature looks back further, so an older version is no news when it is corrected; a night costs the same for ever.
_REMEMBERED_NIGHTS = 400

Entry = dict[str, object]


def measure_late_arrivals(site: Site, nights: Sequence[Night]) -> PublishResult:
    """Publish, for each of ``nights``, what it landed late or as a correction, and the nights that this would have changed.

    The earlier nights are built again by the ordinary runner from a copy of the landed rows in which the late rows of
    the night lie where they belong, and are compared with what they are: at most the last 28 nights that are affected
    and have features of the present SQL. All late rows of a night are moved at once, so ``nights_changed`` of one kind
    counts nights that another kind may have changed. A night without late rows is published empty.

    Raises:
        LookupError: a source has not landed one of ``nights``.
    """
    plan = _plan(site, nights)
    stale = stale_nights(plan.inputs, site.tables.published(LATE_ARRIVALS))
    if not stale:
        return PublishResult(LATE_ARRIVALS, site.tables.version(LATE_ARRIVALS), (), tuple(plan.inputs), 0)
    landed = [_landed(site, contract, plan.landed[name], stale) for name, contract in site.sql.sources.items()]
    measured = [_measured(site, night, landed, plan.built) for night in stale]
    inputs = {night: plan.inputs[night] for night in stale}
    # Restatements first: if the process dies between the commits, a re-run finds the other table still old.
    restated = list(chain.from_iterable(entry.restatements for entry in measured))
    site.tables.publish(
        RESTATEMENTS, pa.Table.from_pylist(restated, schema=RESTATEMENTS_SCHEMA), inputs, key=["affected_night"]
    )
    found = list(chain.from_iterable(entry.arrivals for entry in measured))
    result = site.tables.publish(
        LATE_ARRIVALS, pa.Table.from_pylist(found, schema=LATE_ARRIVALS_SCHEMA), inputs,
        key=["source", "kind", "nights_late"],
    )  # fmt: skip
    publish_catalog(site)
    site.progress(
        f"{LATE_ARRIVALS}: {sum(bool(entry.arrivals) for entry in measured)} of {len(stale)} nights have some"
    )
    return result


def stale_late_arrivals(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never measured, or whose landed rows or earlier features have changed since."""
    return stale_nights(_plan(site, nights).inputs, site.tables.published(LATE_ARRIVALS))


@dataclass(frozen=True)
class _Plan:
    """What is published, and for each night a hash of all that it would be measured from."""

    landed: dict[str, dict[Night, PublishedNight]]
    built: dict[Night, PublishedNight]
    inputs: dict[Night, NightInputs]


def _plan(site: Site, nights: Sequence[Night]) -> _Plan:
    site.calendar.require(nights)
    wanted = sorted(set(nights))
    remembered = nights_between(_remembered_from(wanted[0]), wanted[-1])
    landed = {
        name: site.tables.published(f"raw/{name}", None if contract.reference else remembered)
        for name, contract in site.sql.sources.items()
    }
    for name, contract in site.sql.sources.items():
        require_landed(name, landed[name], [site.calendar.first_night] if contract.reference else wanted)
    table = features_table(site.sql)
    built = site.tables.published(table)
    inputs = {}
    for night in wanted:
        earlier = _affected(night, site.calendar.first_night, built)
        contents = [(past, built[past].content_hash) for past in earlier]
        inputs[night] = NightInputs.made_from(table, _digest_of_landed(site, landed, night), contents)
    return _Plan(landed, built, inputs)


def _digest_of_landed(site: Site, landed: Mapping[str, Mapping[Night, PublishedNight]], night: Night) -> str:
    """A hash of everything landed up to ``night`` that a row of the night may be held against."""
    rules = [contract.model_dump_json(include={"name", "key", "expected_by"}) for contract in site.sql.sources.values()]
    contents = [
        f"{past}{name}{facts.content_hash}"
        for name, its_nights in sorted(landed.items())
        for past, facts in its_nights.items()
        if facts.rows and past <= night and (site.sql.sources[name].reference or past >= _remembered_from(night))
    ]
    return hashlib.sha256("".join([*rules, *contents]).encode()).hexdigest()


def _remembered_from(night: Night) -> Night:
    return nights_back(night, _REMEMBERED_NIGHTS)


def _affected(night: Night, first: Night, built: Mapping[Night, PublishedNight]) -> list[Night]:
    """The nights that have features, from ``first`` to the one before ``night``, no more than are checked."""
    start = max(first, nights_back(night, _MOST_NIGHTS_CHECKED))
    return [past for past in nights_between(start, nights_back(night, 1)) if past in built]


@dataclass(frozen=True)
class _Landed:
    """Every version that a source has landed (its key and ``score_date``), and how those of the wanted nights arrived."""

    name: str
    versions: pa.Table
    nights: NDArray[np.datetime64]
    arrivals: Arrivals


def _landed(
    site: Site, contract: SourceContract, published: Mapping[Night, PublishedNight], wanted: Sequence[Night]
) -> _Landed:
    expected = [contract.expected_by.column] if contract.expected_by else []
    columns = list(dict.fromkeys([*contract.key, *expected]))
    past = [night for night in published if night <= max(wanted)]
    versions = site.tables.read(f"raw/{contract.name}", past, columns)
    is_wanted = pc.is_in(versions.column(SCORE_DATE), value_set=pa.array(wanted, pa.date32()))
    rows, others = versions.filter(is_wanted), versions.filter(pc.invert(is_wanted))
    arrivals = judge_arrivals(rows, expected_nights(rows, contract, site.calendar), others, contract.key)
    return _Landed(contract.name, versions, landing_nights(rows), arrivals)


@dataclass(frozen=True)
class _Measured:
    """The rows of the two tables for one night."""

    arrivals: list[Entry]
    restatements: list[Entry]


def _measured(site: Site, night: Night, landed: Sequence[_Landed], built: Mapping[Night, PublishedNight]) -> _Measured:
    groups = [(source.name, *group, rows) for source in landed for group, rows in _groups(source, night).items()]
    if not groups:
        return _Measured([], [])
    earliest = nights_back(night, max(nights_late for _, _, nights_late, _ in groups))
    checked = _affected(night, earliest, built)
    versions = {source.name: source.versions for source in landed}
    restated = find_restatements(site, night, checked, versions) if checked else []
    arrivals: list[Entry] = []
    for source, kind, nights_late, rows in groups:
        first = nights_back(night, nights_late)
        arrivals.append({
            SCORE_DATE: night, "source": source, "kind": kind, "nights_late": nights_late, "rows": rows,
            "first_affected_night": first, "last_affected_night": nights_back(night, 1),
            "nights_checked": sum(past >= first for past in checked),
            "nights_changed": sum(found.night >= first for found in restated),
        })  # fmt: skip
    return _Measured(arrivals, [_entry(night, found, built) for found in restated])


def _groups(source: _Landed, night: Night) -> dict[tuple[str, int], int]:
    """How many rows ``night`` landed late, by kind and nights late."""
    is_late = (source.nights == np.datetime64(night)) & (source.arrivals.nights_late > 0)
    # A range reads further back for its later nights than each would alone; the answers must be the same.
    is_late &= (source.arrivals.nights_late <= _REMEMBERED_NIGHTS) | (source.arrivals.kinds == LATE)
    kinds, nights_late = source.arrivals.kinds[is_late].tolist(), source.arrivals.nights_late[is_late].tolist()
    return Counter(zip(kinds, nights_late, strict=True))


def _entry(night: Night, found: Restatement, built: Mapping[Night, PublishedNight]) -> Entry:
    return {
        SCORE_DATE: night, "affected_night": found.night, "rows_changed": found.difference.rows,
        "features_changed": found.difference.columns, "content_hash": built[found.night].content_hash,
        "content_hash_in_hindsight": found.content_hash_in_hindsight,
    }  # fmt: skip

"""What a night may judge: the scored nights whose label horizon has passed, and their rows with the outcomes known to it."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.project import DecisionContract
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.decision import decide_rows
from ml_pipeline.domain.labelling import match_labels
from ml_pipeline.domain.reliability import SliceColumn, slice_column
from ml_pipeline.io.table_store import NightInputs, PublishedNight, PublishResult, stale_nights
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.build import LABELS
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import require_built

LONGEST_WINDOW_NIGHTS = 28
_NO_BASELINE = 0.5
_JUDGED_COLUMNS = ("probability", "decision", "threshold", "served_by", "model_version", "feature_set_version")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JudgingPlan:
    """For each night the scored nights that it judges, and a hash of all that it would be measured from."""

    tables: tuple[str, ...]
    published: dict[str, dict[Night, PublishedNight]]
    judged: dict[Night, list[Night]]
    inputs: dict[Night, NightInputs]

    @property
    def stale(self) -> list[Night]:
        """The nights that were never judged, or whose scores or labels have changed since."""
        stale = set().union(*(stale_nights(self.inputs, self.published[table]) for table in self.tables))
        return sorted(stale)


def plan_judging(
    site: Site, tables: Sequence[str], nights: Sequence[Night], *, made_from: Sequence[object], with_waiting: bool = False
) -> JudgingPlan:  # fmt: skip
    """Plan what ``tables`` hold of ``nights``; ``made_from`` is what it depends on beside scores and labels.

    Night ``N`` judges the night ``N - label horizon`` and the window that ends there, as far as it was scored. It looks
    ``with_waiting`` also at the nights after that one, itself included, whose labels are still to come.
    """
    site.calendar.require(nights)
    first = nights_back(min(nights), site.project.label.horizon_nights + LONGEST_WINDOW_NIGHTS)
    looked_at = nights_between(first, max(nights))
    published = {name: site.tables.published(name, looked_at) for name in (SCORES, LABELS, *tables)}
    judged = {
        night: _scored_nights(site, night, published[SCORES], with_waiting=with_waiting)
        for night in sorted(set(nights))
    }
    inputs = {night: _inputs(judged[night], night, published, made_from) for night in judged}
    return JudgingPlan(tuple(tables), published, judged, inputs)


@dataclass(frozen=True)
class JudgedEvidence:
    """Scores and labels of all nights that are judged in one call, both sorted by ``score_date``.

    ``baseline``, ``baseline_acts`` and ``slices`` are made of the features that each row of ``scores`` was scored with.
    """

    scores: pa.Table
    baseline: Floats
    baseline_acts: NDArray[np.bool_]
    slices: tuple[SliceColumn, ...]
    labels: pa.Table


@dataclass(frozen=True)
class JudgedRows:
    """The rows that a night judges; all of shape (rows,), labels NaN where the outcome is not known to it.

    ``probabilities`` and ``acts`` are those of ``model`` and ``baseline``; ``first`` is the place of the first row in the
    evidence.
    """

    last_night: Night
    first: int
    dates: NDArray[np.datetime64]
    labels: Floats
    probabilities: dict[str, Floats]
    acts: dict[str, NDArray[np.bool_]]


def read_judged(site: Site, plan: JudgingPlan, names: Sequence[str] = ()) -> JudgedEvidence:
    """Read once what the stale nights of ``plan`` judge, with the values of the features ``names`` as slices."""
    judged = {night: plan.judged[night] for night in plan.stale}
    scored = sorted(set().union(*judged.values()))
    label_nights = plan.published[LABELS]
    known = [night for night in label_nights if scored and scored[0] <= night <= max(judged)]
    if not scored:
        empty = pa.table({SCORE_DATE: pa.array([], pa.date32())})
        return JudgedEvidence(empty, np.empty(0), np.empty(0, dtype=np.bool_), (), site.tables.read(LABELS, known))
    scores = site.tables.read(SCORES, scored, [*site.project.entity_key, *_JUDGED_COLUMNS])
    features = features_of(site, scores, scored, (site.project.baseline.feature, *names))
    baseline = baseline_of(site, features)
    slices = tuple(slice_column(name, features.column(name).to_pylist()) for name in dict.fromkeys(names))
    acts = baseline_acts(site, scores, baseline)
    return JudgedEvidence(scores, baseline, acts, slices, site.tables.read(LABELS, known))


@dataclass(frozen=True)
class JudgedTable:
    """One table of a plan.

    Attributes:
        table: its name.
        schema: its columns; those that it does not have yet are added to it.
        key: names a row within its night.
        measured: the rows of a night, given the night, the scored nights that it judges (at least one) and the evidence.
    """

    table: str
    schema: pa.Schema
    key: tuple[str, ...]
    measured: Callable[[Night, Sequence[Night], JudgedEvidence], Iterable[dict[str, object]]]


def publish_judged(
    site: Site, plan: JudgingPlan, *tables: JudgedTable, names: Sequence[str] = ()
) -> PublishResult:  # fmt: skip
    """Publish each of ``tables`` for the stale nights of ``plan``; a night that judges nothing is published empty.

    Returns what became of the first. ``names`` are features whose values are slices of the evidence.

    Raises:
        LookupError: labels of a night were never built.
    """
    nights = tuple(plan.inputs)
    require_built(site, LABELS, nights)
    stale = plan.stale
    if not stale:
        return PublishResult(tables[0].table, site.tables.version(tables[0].table), (), nights, 0)
    evidence = read_judged(site, plan, names)
    inputs, judged = {night: plan.inputs[night] for night in stale}, [night for night in stale if plan.judged[night]]
    entries: dict[str, list[dict[str, object]]] = {each.table: [] for each in tables}
    for night, each in product(judged, tables):
        entries[each.table].extend(each.measured(night, plan.judged[night], evidence))
    results = []
    for each in tables:
        rows = pa.Table.from_pylist(entries[each.table], schema=each.schema)
        results.append(site.tables.publish(each.table, rows, inputs, key=each.key, may_grow=True))
        site.progress(f"{each.table}: judged {len(stale)} nights")
    publish_catalog(site)
    return results[0]


def judged_rows(site: Site, night: Night, scored: Sequence[Night], evidence: JudgedEvidence) -> JudgedRows:
    """The rows of ``scored``, which holds at least one night, with the labels that ``night`` knows."""
    span, known = _span(evidence.scores, scored[0], scored[-1]), _span(evidence.labels, scored[0], night)
    rows = evidence.scores.slice(span.start, span.stop - span.start)
    labels = evidence.labels.slice(known.start, known.stop - known.start)
    return JudgedRows(
        scored[-1], span.start, np.asarray(rows.column(SCORE_DATE).to_numpy()),
        match_labels(rows, labels, site.project.entity_key),
        {"model": rows.column("probability").to_numpy(), "baseline": evidence.baseline[span]},
        {"model": rows.column("decision").to_numpy(), "baseline": evidence.baseline_acts[span]},
    )  # fmt: skip


def features_of(site: Site, rows: pa.Table, nights: Sequence[Night], names: Sequence[str]) -> pa.Table:
    """Columns ``names`` of scored ``rows`` of ``nights``, from the feature set that each row was scored with.

    A feature set that does not have one of them gives null.
    """
    key = [SCORE_DATE, *site.project.entity_key]
    versions = sorted(set(rows.column("feature_set_version").to_pylist()))
    parts = []
    for version in versions:
        table = f"features/{version}"
        present = [name for name in dict.fromkeys(names) if name in site.tables.schema(table).names]
        part = site.tables.read(table, nights, [*key, *present])
        parts.append(part.append_column("feature_set_version", pa.repeat(pa.scalar(version), part.num_rows)))
    if len(parts) == 1 and parts[0].select(key).equals(rows.select(key)):
        # Scores and features are published in the same order, so mostly nothing needs to be looked up.
        return _with_all(parts[0], names)
    wanted = [*key, "feature_set_version"]
    numbered = rows.select(wanted).append_column("_position", pa.array(np.arange(rows.num_rows)))
    features = pa.concat_tables(parts, promote_options="default")
    return _with_all(numbered.join(features, wanted, join_type="left outer").sort_by("_position"), names)


def _with_all(features: pa.Table, names: Sequence[str]) -> pa.Table:
    for name in names:
        if name not in features.column_names:
            features = features.append_column(name, pa.nulls(features.num_rows))
    return features.select(list(dict.fromkeys(names)))


def baseline_of(site: Site, features: pa.Table) -> Floats:
    """The baseline's probability of each row of ``features_of``; one half where it has none."""
    values = features.column(site.project.baseline.feature).to_numpy().astype(np.float64)
    return np.where(np.isnan(values), _NO_BASELINE, values)


def baseline_acts(site: Site, scores: pa.Table, baseline: Floats) -> NDArray[np.bool_]:
    """What the baseline would act on under the present contract, so that its cost can stand beside the model's."""
    contract: DecisionContract = site.project.decision
    if contract.capacity_per_night is None:
        return np.asarray(baseline >= scores.column("threshold").to_numpy())
    keys = scores.select([SCORE_DATE, *site.project.entity_key])
    return decide_rows(contract, 1.0, keys, probability=baseline, score=baseline).acts


def _scored_nights(site: Site, night: Night, scores: Container[Night], *, with_waiting: bool) -> list[Night]:
    """Those scored of the longest window that ends a label horizon before ``night``; none if its last night is not.

    ``with_waiting`` those of the horizon too, and whether the last of them was scored does not matter.
    """
    last = nights_back(night, site.project.label.horizon_nights)
    if last not in scores and not with_waiting:
        return []
    window = nights_between(nights_back(last, LONGEST_WINDOW_NIGHTS - 1), night if with_waiting else last)
    return [past for past in window if past in scores]


def _inputs(
    scored: Sequence[Night], night: Night, published: Mapping[str, Mapping[Night, PublishedNight]],
    made_from: Iterable[object],
) -> NightInputs:  # fmt: skip
    known = [past for past in nights_between(scored[0], night) if past in published[LABELS]] if scored else []
    return NightInputs.made_from(
        [published[SCORES][past].content_hash for past in scored],
        [published[LABELS][past].content_hash for past in known],
        *made_from,
    )


def _span(rows: pa.Table, first: Night, last: Night) -> slice:
    """Positions of nights ``first`` to ``last`` in rows sorted by ``score_date``."""
    dates = rows.column(SCORE_DATE).to_numpy()
    return slice(
        int(dates.searchsorted(np.datetime64(first), "left")), int(dates.searchsorted(np.datetime64(last), "right"))
    )

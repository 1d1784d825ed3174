"""The shadow lane: a challenger and a predecessor score the nights that the champion serves, and nobody acts on it.

What they said is compared with what was served once the outcomes are known: rows that neither model was trained on, scored
at the time and not in hindsight. (Shadow deployment: Breck et al., "The ML Test Score", 2017, test Infra 6.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ml_pipeline.contracts.serving import SHADOW_SCORES
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.io.table_store import NightInputs, PublishedNight, PublishResult, stale_nights
from ml_pipeline.nights import Night
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.score_audit import ScoreAuditError, audited, in_words
from ml_pipeline.operations.score_rows import score_nights
from ml_pipeline.operations.shadow_lanes import Lane, lanes_on
from ml_pipeline.operations.site import Site, features_table


@dataclass(frozen=True)
class ShadowNights:
    """What was published, and the lanes of each night; nights without one are not in it.

    ``failed`` says of a version why it could not score. There is no ladder: it serves nobody.
    """

    published: PublishResult
    lanes_by_night: Mapping[Night, tuple[Lane, ...]]
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Ready:
    """A version that can score: its bundle, its built features as of ``version``, and the content hash of each night."""

    bundle: ModelBundle
    version: int
    hashes: Mapping[Night, str]

    @property
    def table(self) -> str:
        return features_table(self.bundle.feature_set)


def score_in_the_shadow(site: Site, nights: Sequence[Night]) -> ShadowNights:
    """Publish in ``shadow_scores`` what the challenger and the predecessor of each of ``nights`` say, in one commit.

    Nights without either are left out. A model that is damaged, or whose scores fail the audit, is left out with an alert,
    and the nights that it had scored before stay as they are: a model that serves nobody must not keep a night from its end.
    """
    site.calendar.require(nights)
    entries = site.ledger(PROMOTIONS).entries()
    found = {night: lanes_on(entries, night, site.project.serving) for night in sorted(set(nights))}
    wanted = {night: lanes for night, lanes in found.items() if lanes}
    before = site.tables.published(SHADOW_SCORES, list(wanted)) if wanted else {}
    failed: dict[str, str] = {}
    ready = _ready(site, wanted, failed)
    stale = stale_nights(_inputs(wanted, ready), before)
    parts = _scored(site, wanted, ready, stale, failed)
    kept = [night for night in stale if not _would_lose(wanted[night], failed, before.get(night))]
    inputs = {night: made for night, made in _inputs(wanted, ready).items() if night in set(kept)}
    current = tuple(night for night in wanted if night not in inputs)
    result = PublishResult(SHADOW_SCORES, site.tables.version(SHADOW_SCORES), (), current, 0)
    if inputs:
        rows = pa.concat_tables(parts)
        rows = rows.filter(pa.compute.is_in(rows[SCORE_DATE], pa.array(list(inputs), pa.date32())))
        result = site.tables.publish(SHADOW_SCORES, rows, inputs, key=[*site.project.entity_key, "model_version"])
        publish_catalog(site)
    _tell(site, wanted, failed)
    return ShadowNights(result, wanted, failed)


def _ready(site: Site, wanted: Mapping[Night, Sequence[Lane]], failed: dict[str, str]) -> dict[str, _Ready]:
    ready = {}
    for version in sorted({lane.version for lanes in wanted.values() for lane in lanes}):
        nights = _nights_of(version, wanted)
        try:
            bundle = read_bundle(site.models, version)
        except BundleError as error:
            failed[version] = str(error)
            continue
        built = build_features(site, nights, sql=bundle.feature_set)
        features = site.tables.published(built.table, nights, version=built.version)
        ready[version] = _Ready(bundle, built.version, {night: features[night].content_hash for night in nights})
    return ready


def _nights_of(version: str, wanted: Mapping[Night, Sequence[Lane]]) -> list[Night]:
    return [night for night, lanes in wanted.items() if any(lane.version == version for lane in lanes)]


def _inputs(wanted: Mapping[Night, Sequence[Lane]], ready: Mapping[str, _Ready]) -> dict[Night, NightInputs]:
    """What the content of each night is made from, by the lanes that can score; none of nights that nobody can."""
    inputs = {}
    for night, lanes in wanted.items():
        mine = [lane for lane in lanes if lane.version in ready]
        told = [part for lane in mine for part in (lane.role, lane.version, ready[lane.version].hashes[night])]
        if mine:
            facts = {ready[lane.version].table: ready[lane.version].version for lane in mine}
            inputs[night] = NightInputs(NightInputs.made_from(*told).inputs_hash, facts)
    return inputs


def _scored(
    site: Site, wanted: Mapping[Night, Sequence[Lane]], ready: dict[str, _Ready], stale: Sequence[Night],
    failed: dict[str, str],
) -> list[pa.Table]:  # fmt: skip
    """The rows of every lane on its stale nights; who fails goes from ``ready`` to ``failed``."""
    parts = []
    for version in list(ready):
        nights = [night for night in _nights_of(version, wanted) if night in set(stale)]
        if not nights:
            continue
        try:
            rows = _audited_rows(site, ready[version], nights)
        except (BundleError, ScoreAuditError) as error:
            failed[version] = str(error)
            del ready[version]
            continue
        roles = {night: lane.role for night in nights for lane in wanted[night] if lane.version == version}
        said = pa.array([roles[night] for night in rows.column(SCORE_DATE).to_pylist()], pa.string())
        place = rows.schema.get_field_index("served_by")
        parts.append(rows.set_column(place, rows.schema.field(place), said))
    return parts


def _audited_rows(site: Site, ready: _Ready, nights: Sequence[Night]) -> pa.Table:
    key = ready.bundle.feature_set.project.entity_key
    rows = score_nights(site, ready.bundle, nights, version=ready.version)
    spine = site.tables.read(ready.table, nights, list(key), version=ready.version)
    audits = audited(rows, spine, nights, key, version=ready.bundle.version)
    if broken := [audit for audit in audits if audit.broken]:
        raise ScoreAuditError(f"table {SHADOW_SCORES}: {in_words(broken)}. Model {ready.bundle.version}")
    return rows


def _would_lose(lanes: Sequence[Lane], failed: Mapping[str, str], before: PublishedNight | None) -> bool:
    """A night is replaced whole: what a failed model had said of it would be lost, or it would have no row at all."""
    failing = [lane for lane in lanes if lane.version in failed]
    return bool(failing) and (before is not None or len(failing) == len(lanes))


def _tell(site: Site, wanted: Mapping[Night, Sequence[Lane]], failed: Mapping[str, str]) -> None:
    for version, reason in failed.items():
        night = _nights_of(version, wanted)[0]
        raise_alert(
            site.ledger("alerts"), severity="advisory", title=f"model {version} could not score in the shadow",
            night=str(night), detail=reason, key=f"shadow_{version}",
        )  # fmt: skip

"""Judges what was published of a night: volume, ranges, missing values, distributions, by the nights before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ml_pipeline.contracts.expectations import ColumnFacts, Judgement, NightFacts
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import EXPECTATIONS_SCHEMA
from ml_pipeline.domain.expected_bounds import HISTORY_NIGHTS, RULES, expected_bounds, judge_night
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.io.night_facts import night_facts
from ml_pipeline.io.table_store import NightInputs, PublishedNight, PublishResult, stale_nights
from ml_pipeline.nights import Night, lookback_nights
from ml_pipeline.operations.data_assets import DataAsset, data_assets
from ml_pipeline.operations.promote import champions_of
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site

EXPECTATIONS = "monitoring/expectations"
_KEY = ["data_asset", "column", "expectation", "severity"]


@dataclass(frozen=True)
class Judged:
    """One data asset of one night: its judgements, in the order of the bounds."""

    asset: DataAsset
    judgements: tuple[Judgement, ...]

    @property
    def unmet(self) -> tuple[Judgement, ...]:
        """Blocking ones first."""
        found = [each for each in self.judgements if not each.is_met]
        return tuple(sorted(found, key=lambda each: each.bound.severity))

    @property
    def is_blocked(self) -> bool:
        return any(each.bound.severity == "blocking" for each in self.unmet)


@dataclass(frozen=True)
class JudgedNights:
    """What was published, and what was found of each night, a data asset each."""

    published: PublishResult
    by_night: dict[Night, list[Judged]]


def judge_expectations(site: Site, nights: Sequence[Night]) -> JudgedNights:
    """Hold scores, features and outcomes of ``nights`` against the nights before each, and publish every number.

    The bounds of a night are made of the published nights before it and of nothing else, so a night of a range is judged
    as it is alone, and again gives the same.

    Raises:
        NoChampionError: a night has no champion. BundleError: its bundle is damaged.
        LookupError: a night of a table that is judged was never published.
    """
    plan = _Plan(site, nights)
    stale = set(stale_nights(plan.inputs, site.tables.published(EXPECTATIONS, nights)))
    by_night = plan.judge()
    current = tuple(night for night in by_night if night not in stale)
    result = PublishResult(EXPECTATIONS, site.tables.version(EXPECTATIONS), (), current, 0)
    if stale:
        entries = [entry for night in sorted(stale) for judged in by_night[night] for entry in _entries(night, judged)]
        rows = pa.Table.from_pylist(entries, schema=EXPECTATIONS_SCHEMA)
        inputs = {night: plan.inputs[night] for night in sorted(stale)}
        result = site.tables.publish(EXPECTATIONS, rows, inputs, key=_KEY)
        site.progress(f"{EXPECTATIONS}: judged {len(stale)} nights")
    publish_catalog(site)
    return JudgedNights(result, by_night)


def stale_expectations(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that were never judged, or of which something that is judged, or its past, has changed since."""
    return stale_nights(_Plan(site, nights).inputs, site.tables.published(EXPECTATIONS, nights))


def _entries(night: Night, judged: Judged) -> list[dict[str, object]]:
    return [
        {
            SCORE_DATE: night, "data_asset": judged.asset.name, "expectation": each.bound.expectation,
            "column": each.bound.column or "", "severity": each.bound.severity, "observed": each.observed,
            "lower": each.bound.lower, "upper": each.bound.upper, "nights_of_history": each.bound.nights_of_history,
            "is_met": each.is_met,
        }
        for each in judged.judgements
    ]  # fmt: skip


class _Plan:
    """The nights by champion, with the windows of published nights that each is judged from."""

    def __init__(self, site: Site, nights: Sequence[Night]) -> None:
        site.calendar.require(nights)
        self._site = site
        self._assets: dict[Night, list[DataAsset]] = {}
        for version, its_nights in champions_of(site, nights).items():
            assets = data_assets(site, read_bundle(site.models, version))
            self._assets |= dict.fromkeys(its_nights, assets)
        self._published: dict[str, dict[Night, PublishedNight]] = {}
        opened = sorted({past for night in self._assets for past in self._window(night)})
        self._by_table = {asset.table: asset for assets in self._assets.values() for asset in assets}
        for table in self._by_table:
            self._published[table] = site.tables.published(table, opened)
        self.inputs: Mapping[Night, NightInputs] = {night: self._inputs(night) for night in sorted(self._assets)}

    def judge(self) -> dict[Night, list[Judged]]:
        facts = {table: self._facts(asset) for table, asset in self._by_table.items()}
        return {
            night: [self._judged(asset, facts[asset.table], night) for asset in self._assets[night]]
            for night in self.inputs
        }

    def _window(self, night: Night) -> tuple[Night, ...]:
        return lookback_nights(night, HISTORY_NIGHTS + 1, first_night=self._site.project.first_night)

    def _inputs(self, night: Night) -> NightInputs:
        contents = []
        for asset in self._assets[night]:
            published = self._published[asset.table]
            if night not in published:
                raise LookupError(
                    f"table {asset.table} does not hold night {night}; materialise it for that night first"
                )
            window = [published[past].content_hash for past in self._window(night) if past in published]
            contents.append([asset.table, list(asset.measured), window])
        return NightInputs.made_from(RULES, contents)

    def _facts(self, asset: DataAsset) -> dict[Night, NightFacts]:
        site = self._site
        published = self._published[asset.table]
        files, schema = site.tables.files(asset.table, list(published)), site.tables.schema(asset.table)
        found = night_facts(files, schema, asset.measured)
        nothing = NightFacts(0, {name: ColumnFacts(0) for name in asset.measured})
        return {night: found.get(night, nothing) for night in published}

    def _judged(self, asset: DataAsset, facts: Mapping[Night, NightFacts], night: Night) -> Judged:
        history = [facts[past] for past in self._window(night) if past != night and past in facts]
        bounds = expected_bounds(
            history, asset.columns, never_missing=asset.never_missing, ranges=asset.ranges, least_rows=asset.least_rows
        )  # fmt: skip
        return Judged(asset, tuple(judge_night(facts[night], bounds)))

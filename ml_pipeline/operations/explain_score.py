"""Explains one published score: features, landed rows, contributions, versions; made again and held against the table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.serving import SCORES
from ml_pipeline.domain.contributions import contributions_of_row
from ml_pipeline.domain.other_levels import shown_value
from ml_pipeline.io.gated_rows import VisibleRows
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.io.table_store import PublishedNight
from ml_pipeline.nights import Night
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.rows_behind import RowsBehind
from ml_pipeline.operations.score_rows import score_rows
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.unseen_categories import table_versions

_BASELINE = "baseline"
_SHOWN_KEYS = 5
# They say how the row came to be asked for, which its inputs do not know.
_NOT_RECOMPUTED = ("served_by", "backfill_policy")


@dataclass(frozen=True)
class ExplainedFeature:
    """One feature of the row: its value as the model took it, by how much it moved the score (log odds), and the landed rows behind it."""

    name: str
    value: Any
    contribution: float
    description: str
    window: str
    model: str
    rows: tuple[VisibleRows, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Attributes:
    published: the row of ``scores``, as it stands.
    published_at: when its revision was committed.
    versions: Delta version of each table that the row comes from.
    recomputed: the same row, made again from these versions; None where no model served, or it is not made any more.
    features: every feature, the largest contribution first; the first ones with the landed rows behind them.
    base: the log odds that the trees begin from; with all contributions they are those of the score.
    note: what cannot be explained, and why; "" if everything can.
    """

    published: dict[str, Any]
    published_at: datetime
    versions: Mapping[str, int]
    recomputed: dict[str, Any] | None = None
    features: tuple[ExplainedFeature, ...] = ()
    base: float = 0.0
    note: str = ""

    @property
    def differing(self) -> tuple[str, ...]:
        """Columns in which what was published is not what its recorded inputs give, bit by bit."""
        again = self.recomputed or {}
        return tuple(
            name for name, value in self.published.items()
            if name not in _NOT_RECOMPUTED and (name not in again or again[name] != value)
        )  # fmt: skip

    @property
    def is_exact(self) -> bool:
        """Whether what was published is what its recorded inputs give."""
        return not self.differing


def explain_score(
    site: Site, night: Night, key: Mapping[str, str], *, leading: int = 5, most_rows: int = 3
) -> Explanation:
    """Explain the published score of the one row that ``key`` (columns of the entity key, as text) names on ``night``.

    Args:
        site: the installation.
        night: a scored night; of one that was restated, the revision that stands is explained.
        key: as many columns of the key as it takes to name one row.
        leading: features that are shown with the landed rows behind them.
        most_rows: rows of each source that are shown, the newest ones.

    Raises:
        LookupError: the night was never scored, no row or several have that key, or the row's features are gone.
        ValueError: a name is no column of the key, or a value is not of its type. BundleError: the bundle is damaged.
    """
    facts = site.tables.published(SCORES, [night]).get(night)
    if facts is None:
        raise LookupError(f"night {night} was never scored; materialise scores for it first")
    entity_key = site.project.entity_key
    row = _the_one(site.tables.read(SCORES, [night]), entity_key, key, night)
    stands = max(
        (each for each in site.tables.publications(SCORES) if each.night == night), key=lambda each: each.revision
    )
    found = Explanation(row, stands.published_at, {SCORES: stands.revision, **table_versions(facts.facts)})
    if row["served_by"] == _BASELINE:
        return replace(
            found, note="the baseline served it: a rate by the baseline's keys, without model or contributions"
        )
    bundle = read_bundle(site.models, row["model_version"])
    features, built = _features_of(site, bundle, night, facts)
    again = _row(score_rows(site, bundle, features), row, entity_key)
    base, explained = _explained(bundle, _rows(features, row, entity_key))
    runner = site.runner(bundle.feature_set, built.facts)
    behind = RowsBehind(runner, night, {name: row[name] for name in entity_key}, most_rows=most_rows)
    first = [replace(each, rows=behind.of(each.model, each.name)) for each in explained[:leading]]
    return replace(
        found, versions={**found.versions, **built.facts}, recomputed=again, base=base,
        features=(*first, *explained[leading:]),
    )  # fmt: skip


def _features_of(
    site: Site, bundle: ModelBundle, night: Night, scored: PublishedNight
) -> tuple[pa.Table, PublishedNight]:
    """The features that the night was scored from, and what the log says of them."""
    table = features_table(bundle.feature_set)
    version = scored.facts.get(table)
    built = site.tables.published(table, [night], version=version).get(night)
    if built is None:
        raise LookupError(f"table {table} does not hold night {night}; materialise features for it first")
    return site.tables.read(table, [night], version=version), built


def _the_one(rows: pa.Table, key: tuple[str, ...], wanted: Mapping[str, str], night: Night) -> dict[str, Any]:
    unknown = sorted(set(wanted) - set(key))
    if unknown or not wanted:
        raise ValueError(f"{unknown or 'nothing'} does not name a row; the columns of the key are {', '.join(key)}")
    values = {name: _typed(name, text, rows.schema.field(name).type) for name, text in wanted.items()}
    found = _rows(rows, values, tuple(values))
    if found.num_rows == 1:
        return dict(found.to_pylist()[0])
    shown = [
        ",".join(f"{name}={_as_text(each[name])}" for name in key) for each in found.slice(0, _SHOWN_KEYS).to_pylist()
    ]
    said = ",".join(f"{name}={text}" for name, text in wanted.items())
    raise LookupError("\n  ".join([f"{found.num_rows} rows of night {night} have {said}; name one of them", *shown]))


def _typed(name: str, text: str, kind: pa.DataType) -> Any:
    try:
        return pa.scalar(text).cast(kind).as_py()
    except pa.ArrowInvalid as error:
        raise ValueError(f"{name}={text}: a {kind} is expected, for example {_EXAMPLES.get(str(kind), 1)}") from error


_EXAMPLES = {"timestamp[us, tz=UTC]": "2013-07-01T10:00:00Z", "date32[day]": "2013-07-01", "bool": "true"}


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _rows(rows: pa.Table, wanted: Mapping[str, Any], key: tuple[str, ...]) -> pa.Table:
    for name in key:
        rows = rows.filter(pc.equal(rows[name], pa.scalar(wanted[name], rows.schema.field(name).type)))
    return rows


def _row(rows: pa.Table, wanted: Mapping[str, Any], key: tuple[str, ...]) -> dict[str, Any] | None:
    found = _rows(rows, wanted, key).to_pylist()
    return dict(found[0]) if len(found) == 1 else None


def _explained(bundle: ModelBundle, row: pa.Table) -> tuple[float, list[ExplainedFeature]]:
    """The base, and every feature of the one row in ``row``, the largest contribution first."""
    scorer, sql = load_scorer(bundle), bundle.feature_set
    pushes = contributions_of_row(scorer, scorer.encoder.transform(row))
    owners = {
        column.name: model.name for model in sql.in_folder("features") for column in sql.contracts[model.name].columns
    }
    explained = [
        ExplainedFeature(
            column.name, shown_value(column, row.column(column.name)[0].as_py()), pushes.by_feature[column.name], column.contract.description,
            column.contract.window, owners[column.name],
        )
        for column in scorer.encoder.columns
    ]  # fmt: skip
    return pushes.base, sorted(explained, key=lambda each: (-abs(each.contribution), each.name))

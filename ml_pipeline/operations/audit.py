"""Audits of what is published, on real nights."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ml_pipeline.contracts.night_rows import rows_of_night
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.row_differences import differences_in_words
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import require_built


@dataclass(frozen=True)
class Audit:
    """How often something was tried, and each time that it did not hold, in words."""

    trials: int
    violations: tuple[str, ...]


def rebuild_alone(site: Site, nights: Sequence[Night]) -> Audit:
    """Rebuild each night by itself, from partitions up to it and no other, and compare with what is published.

    Raises:
        LookupError: a night's features were never built.
    """
    runner = site.runner()
    built = {night: runner.build_features(night, night) for night in nights}
    return same_as_published(site, built, "alone")


def same_as_published(site: Site, built: dict[Night, pa.Table], how: str) -> Audit:
    """Hold feature rows of nights, built once more in the way that ``how`` names, against the published ones.

    Rows of other nights in a built table are left out. A violation names the night, the columns and a first row.

    Raises:
        LookupError: a night's features were never built.
    """
    table = features_table(site.sql)
    require_built(site, table, tuple(sorted(built)))
    published = site.tables.published(table)
    violations = []
    for night, rows in sorted(built.items()):
        own = _of_night(site, rows, night)
        if content_hash(own) != published[night].content_hash:
            expected = _of_night(site, site.tables.read(table, [night]), night)
            told = differences_in_words(expected, own, site.project.entity_key) or "equal values in other bytes"
            violations.append(f"{night}: {how}, features are not as published: {told}")
    return Audit(len(built), tuple(violations))


def _of_night(site: Site, rows: pa.Table, night: Night) -> pa.Table:
    return rows_of_night(rows, night).sort_by([(name, "ascending") for name in (SCORE_DATE, *site.project.entity_key)])

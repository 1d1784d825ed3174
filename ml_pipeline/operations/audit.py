"""Audits of what is published, on real nights."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site, features_table


@dataclass(frozen=True)
class Audit:
    """How often something was tried, and each time that it did not hold, in words."""

    trials: int
    violations: tuple[str, ...]


def rebuild_alone(site: Site, nights: Sequence[Night]) -> Audit:
    """Rebuild each night by itself, from partitions up to it and no other, and compare with what is published."""
    table = features_table(site.sql)
    published = site.tables.published(table)
    runner = site.runner()
    order = [(name, "ascending") for name in (SCORE_DATE, *site.project.entity_key)]
    violations = []
    for night in nights:
        alone = content_hash(runner.build_features(night, night).sort_by(order))
        if alone != published[night].content_hash:
            violations.append(f"{night}: published {published[night].content_hash[:12]}, alone {alone[:12]}")
    return Audit(len(nights), tuple(violations))

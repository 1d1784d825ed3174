"""Drift and performance that were never measured: published by hand, so that the policy has something to decide on."""

from collections.abc import Sequence

import pyarrow as pa

from ml_pipeline.contracts.tables import DRIFT_SCHEMA, EXPECTATIONS_SCHEMA, PERFORMANCE_SCHEMA
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.expect import EXPECTATIONS
from ml_pipeline.operations.mature import PERFORMANCE
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.watch import DRIFT


def publish_drift(site: Site, shares: dict[Night, float], *, faulty: int = 0) -> None:
    """Drift of ten features for each night, of which the given share drifted, and so many have a fault."""
    rows = [
        {"score_date": night, "feature": f"f{number}", "model_version": current_champion(site), "window_nights": 7,
         "rows": 280, "missing_share": 0.0, "psi": 1.0, "finding": "drift" if number < share * 10 else "stable",
         "is_drifted": number < share * 10, "fault": "broken" if number < faulty else None}
        for night, share in shares.items() for number in range(10)
    ]  # fmt: skip
    _publish(site, DRIFT, rows, DRIFT_SCHEMA, list(shares), ["feature"])


def publish_costs(site: Site, costs: dict[Night, tuple[float, float]], *, rows: int = 40) -> None:
    """What model and baseline cost a row on the night that each of the nights was the first to judge."""
    entries = [
        {"score_date": night, "last_scored_night": nights_back(night, site.project.label.horizon_nights), "window_nights": 1,
         "subject": subject, "rows_scored": rows, "rows": rows, "coverage": 1.0, "mean_cost": cost}
        for night, both in costs.items() for subject, cost in zip(("model", "baseline"), both, strict=True)
    ]  # fmt: skip
    _publish(site, PERFORMANCE, entries, PERFORMANCE_SCHEMA, list(costs), ["window_nights", "subject"])


def publish_broken_expectation(site: Site, night: Night) -> None:
    """A night on which scores have a quarter of the rows that were expected."""
    row = {"score_date": night, "data_asset": "scores", "expectation": "row_count", "column": "", "severity": "blocking",
           "observed": 10.0, "lower": 20.0, "upper": 80.0, "nights_of_history": 28, "is_met": False}  # fmt: skip
    _publish(site, EXPECTATIONS, [row], EXPECTATIONS_SCHEMA, [night], ["data_asset"])


def _publish(
    site: Site, table: str, rows: list[dict[str, object]], schema: pa.Schema, nights: Sequence[Night], key: list[str]
) -> None:  # fmt: skip
    published = pa.Table.from_pylist(rows, schema=schema)
    site.tables.publish(table, published, {night: NightInputs("", {}) for night in nights}, key=key)

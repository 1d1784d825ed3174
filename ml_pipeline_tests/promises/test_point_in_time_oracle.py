"""Every feature is what plain pandas makes of the rows known at the cutoff. On the real flights, and on corrected ones."""

import random
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml_pipeline.contracts.source import KNOWN_AT, SCORE_DATE, SourceContract
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.io.oracle import load_oracle
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_cells import check_cells
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.counterfactual import altered_landing, longest_lookback
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import open_test_site

LAST = date(2013, 3, 20)
NIGHTS = random.Random(2013).sample(nights_between(date(2013, 1, 2), date(2013, 3, 17)), 12)
CELLS = 1_000
# Nights whose lookbacks are full and whose later nights have landed; the mutants are tried on them.
MUTANT_NIGHTS = (date(2013, 2, 9), date(2013, 3, 8), date(2013, 3, 12))
MUTANTS = {
    "a window of one day more": ("lookback_days=28", "lookback_days=29"),
    "a closed instead of a half-open window": ("known_on > score_date - 7", "known_on >= score_date - 7"),
    "the whole history": ("lookback_days=28", "lookback_days=400"),
    "event time instead of known time": (
        "known_at > cutoff_at - interval 6 hour", "scheduled_departure_at > cutoff_at - interval 6 hour",
    ),
}  # fmt: skip


def copy_of_landed(flights_site: Site, root: Path) -> Site:
    """The landed flights in a project and data root of the test's own."""
    project = shutil.copytree(
        flights_site.sql.folder, root / "nyc_flights", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(flights_site.data / "raw", root / "data" / "raw")
    return open_test_site(Path(project), root / "data")


def audited(site: Site, nights: Sequence[Night], cells: int, name: str) -> Audit:
    audit = check_cells(site, nights, cells)
    print(f"{name}: {audit.trials} / {len(audit.violations)}", *audit.violations[:5], sep="\n  ")
    return audit


def test_the_oracle_knows_every_feature_so_that_each_is_tried(flights_site: Site) -> None:
    oracle_class = load_oracle(flights_site.sql.folder)
    assert oracle_class is not None
    assert {feature.name for feature in flights_site.sql.features} <= set(oracle_class.features)
    assert 100 < len(flights_site.sql.features) < CELLS / 5


def test_features_are_what_the_oracle_says(flights_site: Site, tmp_path: Path) -> None:
    site = copy_of_landed(flights_site, tmp_path)
    build_features(site, NIGHTS)
    assert audited(site, NIGHTS, CELLS, "cells") == Audit(CELLS, ())


def corrections(site: Site, contract: SourceContract, rows: pd.DataFrame) -> pd.DataFrame:
    """Of every tenth row a later version with other values, in the night that learns it."""
    generator = np.random.default_rng(len(rows))
    later = rows.sample(frac=0.1, random_state=len(rows))
    later[KNOWN_AT] += pd.to_timedelta(generator.integers(1, 24 * 12, len(later)), unit="h")
    later = later[later[KNOWN_AT] <= site.calendar.cutoff(LAST)]
    known_at_us = later[KNOWN_AT].astype("datetime64[us, UTC]").astype("int64").to_numpy()
    later[SCORE_DATE] = site.calendar.nights_known(known_at_us, site.calendar.first_night, LAST).astype(object)
    for column in contract.columns:
        values = later[column.name]
        if column.type == "boolean":
            later[column.name] = ~values
        elif column.type == "number":
            later[column.name] = values + (column.maximum - values) // 4
        elif column.name in {"dest", "distance_miles", "tailnum"}:
            later[column.name] = generator.permutation(values)
    return later


def test_of_several_versions_the_latest_known_counts(flights_site: Site, tmp_path: Path) -> None:
    """The flights of 2013 were never corrected, so corrections of plans, outcomes and observations are landed."""
    site, landed = copy_of_landed(flights_site, tmp_path), nights_between(flights_site.calendar.first_night, LAST)
    for name in ("schedules", "outcomes", "weather_observations"):
        contract, table = site.sql.sources[name], f"raw/{name}"
        rows = site.tables.read(table, landed).to_pandas()
        later = corrections(site, contract, rows)
        assert len(later) > len(rows) / 20
        both = pa.Table.from_pandas(pd.concat([rows, later]), schema=site.tables.schema(table), preserve_index=False)
        inputs = {night: NightInputs("corrected", {}) for night in landed}
        site.tables.publish(table, both, inputs, key=(*contract.key, KNOWN_AT))
    build_features(site, NIGHTS[:6])
    assert audited(site, NIGHTS[:6], CELLS, "cells over corrections") == Audit(CELLS, ())
    # The mutant: an oracle that holds on to first versions disagrees, so corrections do reach these cells.
    oracle = site.sql.folder / "oracle.py"
    assert 'keep="last"' in oracle.read_text(encoding="utf-8")
    oracle.write_text(oracle.read_text(encoding="utf-8").replace('keep="last"', 'keep="first"'), encoding="utf-8")
    assert len(audited(site, NIGHTS[:6], CELLS, "first versions").violations) > CELLS / 5


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_oracle_catches_sql_that_means_something_else(flights_site: Site, tmp_path: Path, mutant: str) -> None:
    old, new = MUTANTS[mutant]
    project = copy_of_landed(flights_site, tmp_path).sql.folder
    changed = 0
    for path in project.rglob("*.sql"):
        text = path.read_text(encoding="utf-8")
        changed += text.count(old)
        path.write_text(text.replace(old, new), encoding="utf-8")
    assert changed > 0, f"no model says {old!r} any more: choose another text for this mutant"
    site = open_test_site(project, tmp_path / "data")
    build_features(site, MUTANT_NIGHTS)
    audit = audited(site, MUTANT_NIGHTS, 2 * len(site.sql.features), mutant)
    assert audit.violations != ()


def test_the_oracle_catches_a_night_that_sees_the_next(flights_site: Site, tmp_path: Path) -> None:
    site, night = copy_of_landed(flights_site, tmp_path), MUTANT_NIGHTS[1]
    build_features(site, [night])

    def early(_: SourceContract, rows: pa.Table) -> pa.Table:
        """Rows of the following night are landed in this one."""
        landed = [min(one, night) for one in rows[SCORE_DATE].to_pylist()]
        return rows.set_column(rows.schema.get_field_index(SCORE_DATE), SCORE_DATE, pa.array(landed, pa.date32()))

    first = nights_back(night, longest_lookback(site))
    with altered_landing(site, first, nights_back(night, -1), early) as tables:
        leaky = GatedRunner(site.sql, tables, site.calendar).build_features(night, night)
    site.tables.publish(features_table(site.sql), leaky, {night: NightInputs("", {})}, key=site.project.entity_key)
    audit = audited(site, [night], 2 * len(site.sql.features), "one night too far")
    assert len(audit.violations) > 20

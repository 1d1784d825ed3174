"""Mutants that part scoring from training: what was published is not what a training would have computed."""

import shutil
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from ml_pipeline.domain.feature_matrix import FeatureColumn, FeatureEncoder
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_scores import train_score_skew
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_SCORED, copy_of
from ml_pipeline_tests.mutants.workshop import Mutant, Workshop

_NIGHT = SHOP_SCORED[3]


def _of_scores(name: str, word: str, harm: Callable[[Site], None]) -> Mutant:
    def held(workshop: Workshop) -> Audit:
        site = copy_of(workshop.sound, workshop.sound.sql.folder, workshop.folder / name.replace(" ", "_"))
        harm(site)
        return train_score_skew(site, [_NIGHT])

    return Mutant(f"the scores: {name}", word, held)


def _replace(site: Site, table: str, column: str, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
    rows = site.tables.read(table, [_NIGHT])
    values = pa.array(change(rows[column].to_numpy().astype(np.float64)), rows.schema.field(column).type)
    rows = rows.set_column(rows.schema.get_field_index(column), column, values)
    site.tables.publish(table, rows, {_NIGHT: NightInputs("", {})}, key=site.project.entity_key)


def _last_bit(site: Site) -> None:
    """One probability is its neighbour among the floating-point numbers."""
    _replace(site, "scores", "probability", lambda values: np.concatenate([[np.nextafter(values[0], 1)], values[1:]]))


def _feature_touched(site: Site) -> None:
    """A feature was corrected by hand after it had been built."""
    _replace(site, features_table(site.sql), "quantity", lambda values: np.concatenate([[values[0] + 1], values[1:]]))


def _refitted_when_scoring(site: Site) -> None:
    """Categories get their codes from the rows that are scored."""
    sound = FeatureEncoder.transform

    def refitted(encoder: FeatureEncoder, rows: pa.Table) -> NDArray[np.float32]:
        columns = [
            FeatureColumn(column.contract, tuple(dict.fromkeys(rows[column.name].to_pylist())) if column.levels else ())
            for column in encoder.columns
        ]
        return sound(FeatureEncoder(tuple(columns)), rows)

    shutil.rmtree(site.tables.path("scores"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureEncoder, "transform", refitted)
        score(site, [_NIGHT])


MUTANTS = (
    _of_scores("one probability off by one bit", "probability differs in 1 of 40 rows", _last_bit),
    _of_scores("a feature touched by hand", "feature quantity differs in 1 of 40 rows", _feature_touched),
    _of_scores("an encoder refitted when scoring", "probability differs", _refitted_when_scoring),
)

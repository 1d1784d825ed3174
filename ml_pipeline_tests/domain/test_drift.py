import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.drift import ReferenceBins, count_rows, reference_bins, stability_index
from ml_pipeline.domain.feature_matrix import FeatureEncoder, fit_encoder

FEATURES = (
    FeatureContract(name="price", description="Price."), FeatureContract(name="kind", description="Kind.", type="category"),
)  # fmt: skip
SEEDS = st.integers(0, 2**32 - 1)


def rows(seed: int, count: int = 500, shift: float = 0.0) -> pa.Table:
    generator = np.random.default_rng(seed)
    price = np.where(generator.random(count) < 0.1, np.nan, generator.normal(shift, 1, count).round(1))
    return pa.table({"price": price, "kind": generator.choice(["a", "b", "c"], count, p=[0.6, 0.3, 0.1])})


def encoder_for(table: pa.Table) -> FeatureEncoder:
    return fit_encoder(table, FEATURES)


def plain_index(reference: list[float | None], current: list[float | None], edges: list[float]) -> float:
    """Population stability index in ten lines: missing is a bin of its own, half a row is added to every bin."""

    def shares(values: list[float | None]) -> list[float]:
        bins = [0.5] * (len(edges) + 2)
        for value in values:
            bins[0 if value is None or math.isnan(value) else 1 + sum(value >= edge for edge in edges)] += 1
        return [count / sum(bins) for count in bins]

    pairs = zip(shares(reference), shares(current), strict=True)
    return sum((now - before) * math.log(now / before) for before, now in pairs)


@given(SEEDS, st.floats(-2, 2), st.integers(0, 300))
def test_the_index_equals_ten_plain_lines(seed: int, shift: float, count: int) -> None:
    reference, current = rows(seed), rows(seed + 1, count + 1, shift)
    encoder = encoder_for(reference)
    bins = reference_bins(encoder, encoder.transform(reference))
    found = stability_index(bins, count_rows(bins, encoder.transform(current)))
    codes = {"a": 0.0, "b": 1.0, "c": 2.0}
    levels = encoder.columns[1].levels
    columns = {
        "price": [encoder.transform(table)[:, 0].tolist() for table in (reference, current)],
        "kind": [
            [codes[value] if value in levels else None for value in table["kind"].to_pylist()]
            for table in (reference, current)
        ],
    }
    for position, (before, now) in enumerate(columns.values()):
        expected = plain_index(before, now, bins.edges[position].tolist())
        assert found[position] == pytest.approx(expected, abs=1e-12)


def test_number_edges_are_the_deciles_of_the_reference() -> None:
    table = pa.table({"price": np.arange(1000.0), "kind": ["a"] * 1000})
    encoder = encoder_for(table)
    bins = reference_bins(encoder, encoder.transform(table))
    assert bins.edges[0] == pytest.approx(np.arange(1, 10) * 99.9, rel=1e-5)
    assert bins.counts[0, 1:11].tolist() == [100] * 10


def test_the_reference_does_not_drift_from_itself_and_a_shift_does() -> None:
    reference = rows(1, 4000)
    encoder = encoder_for(reference)
    bins = reference_bins(encoder, encoder.transform(reference))
    assert stability_index(bins, bins.counts) == pytest.approx([0.0, 0.0], abs=1e-12)
    same, moved = (
        stability_index(bins, count_rows(bins, encoder.transform(rows(2, 4000, shift)))) for shift in (0.0, 1.5)
    )
    assert same[0] < 0.05
    assert moved[0] > 0.25


@pytest.mark.parametrize("column", ["price", "kind"])
def test_values_that_go_missing_are_drift_although_the_reference_had_none(column: str) -> None:
    """A gate that finds no drift because the reference had no missing value would be no gate."""
    reference = pa.table({"price": np.random.default_rng(0).random(1000), "kind": ["a", "b"] * 500})
    encoder = encoder_for(reference)
    bins = reference_bins(encoder, encoder.transform(reference))
    empty = pa.nulls(1000, reference.schema.field(column).type)
    current = reference.set_column(reference.schema.get_field_index(column), column, empty)
    found = dict(zip(bins.names, stability_index(bins, count_rows(bins, encoder.transform(current))), strict=True))
    assert found[column] > 0.25
    assert found[({"price", "kind"} - {column}).pop()] == pytest.approx(0, abs=1e-12)


def test_categories_never_seen_before_are_drift() -> None:
    reference = rows(1)
    encoder = encoder_for(reference)
    bins = reference_bins(encoder, encoder.transform(reference))
    current = reference.set_column(1, "kind", pa.array(["new"] * reference.num_rows))
    assert stability_index(bins, count_rows(bins, encoder.transform(current)))[1] > 0.25


@given(SEEDS, st.integers(1, 8))
def test_counts_of_nights_add_up_to_the_count_of_all(seed: int, parts: int) -> None:
    table = rows(seed, 200)
    encoder = encoder_for(table)
    matrix = encoder.transform(table)
    bins = reference_bins(encoder, matrix)
    pieces = [count_rows(bins, part) for part in np.array_split(matrix, parts)]
    assert np.array_equal(np.sum(pieces, axis=0), count_rows(bins, matrix))
    assert count_rows(bins, matrix).sum(axis=1).tolist() == [200, 200]


def test_no_current_rows_cannot_be_measured() -> None:
    bins = reference_bins(encoder_for(rows(1)), encoder_for(rows(1)).transform(rows(1)))
    assert np.isnan(stability_index(bins, np.zeros_like(bins.counts))).all()


@pytest.mark.parametrize("reference", [np.full(50, 3.0), np.full(50, np.nan)])
def test_a_column_of_one_value_or_none_has_few_bins_and_a_finite_index(reference: np.ndarray) -> None:
    table = pa.table({"price": reference, "kind": pa.nulls(50, pa.string())})
    encoder = encoder_for(table)
    bins: ReferenceBins = reference_bins(encoder, encoder.transform(table))
    current = pa.table({"price": [3.0, None, 4.0], "kind": ["a", None, "b"]})
    assert np.isfinite(stability_index(bins, count_rows(bins, encoder.transform(current)))).all()

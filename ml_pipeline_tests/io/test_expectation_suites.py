"""Great Expectations and our own judgement, on the same rows and bounds."""

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.expectations import Bound, ColumnFacts, Judgement, NightFacts
from ml_pipeline.io.expectation_suites import SuiteVerdict, validate

DRAW = np.random.default_rng(5)
X = DRAW.normal(3, 1, 200)
FLAG = [True, None, False, True] * 50
TEXT = ["a", "b", None, "c"] * 50
ROWS = pa.table({"x": X, "flag": pa.array(FLAG, pa.bool_()), "text": TEXT, "n": np.arange(200)})
FACTS = NightFacts(200, {
    "x": ColumnFacts(200, float(X.mean()), float(X.min()), float(X.max())), "flag": ColumnFacts(150, 2 / 3, 0.0, 1.0),
    "text": ColumnFacts(150, distinct=3), "n": ColumnFacts(200, 99.5, 0.0, 199.0),
})  # fmt: skip
BOUNDS = [
    Bound(expectation, column, lower, upper, severity)
    for expectation, column, middle in (
        ("row_count", None, 200.0), ("missing_share", "flag", 0.25), ("missing_share", "x", 0.0), ("mean", "x", float(X.mean())),
        ("mean", "flag", 2 / 3), ("mean", "n", 99.5), ("least", "x", float(X.min())), ("most", "x", float(X.max())),
        ("distinct", "text", 3.0),
    )
    for lower, upper, severity in (
        (middle - 0.1, middle + 0.1, "blocking"), (middle + 0.05, None, "blocking"), (None, middle - 0.05, "warning"),
        (None, middle + 1e-6, "warning"),
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> list[SuiteVerdict]:
    return validate(
        "scores",
        ROWS,
        [*BOUNDS, Bound("mean", "absent", 0.0, 1.0, "blocking"), Bound("mean", "text", 0.0, 1.0, "warning")],
    )


def test_both_come_to_the_same_verdict_in_the_same_order(verdicts: list[SuiteVerdict]) -> None:
    own = [Judgement(bound, FACTS.observed(bound.expectation, bound.column)) for bound in BOUNDS]
    assert [verdict.bound for verdict in verdicts[:-2]] == BOUNDS
    assert [verdict.is_met for verdict in verdicts[:-2]] == [judgement.is_met for judgement in own]
    assert {verdict.error for verdict in verdicts[:-2]} == {None}
    assert {judgement.is_met for judgement in own} == {True, False}


def test_an_error_is_not_taken_for_a_failure(verdicts: list[SuiteVerdict]) -> None:
    absent, text = verdicts[-2:]
    assert not absent.is_met and absent.error is not None and "absent" in absent.error
    assert not text.is_met and text.error is not None

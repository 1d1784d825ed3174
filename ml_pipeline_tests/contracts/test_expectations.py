import pytest

from ml_pipeline.contracts.expectations import Bound, ColumnFacts, Judgement, NightFacts

FACTS = NightFacts(
    10, {"x": ColumnFacts(8, 2.0, 1.0, 4.0), "text": ColumnFacts(10, distinct=3), "none": ColumnFacts(0)}
)


@pytest.mark.parametrize(
    ("expectation", "column", "expected"),
    [
        ("row_count", None, 10.0), ("missing_share", "x", 0.2), ("mean", "x", 2.0), ("least", "x", 1.0), ("most", "x", 4.0),
        ("distinct", "text", 3.0), ("mean", "none", None), ("missing_share", "none", 1.0),
    ],
)  # fmt: skip
def test_a_number_is_found_or_there_is_none(expectation: str, column: str | None, expected: float | None) -> None:
    found = FACTS.observed(expectation, column)
    assert found is expected or found == pytest.approx(expected, abs=1e-12)


def test_a_night_without_rows_lacks_nothing() -> None:
    assert NightFacts(0, {"x": ColumnFacts(0)}).observed("missing_share", "x") is None


@pytest.mark.parametrize(
    ("observed", "lower", "upper", "is_met"),
    [
        (1.0, 1.0, 2.0, True), (2.0, 1.0, 2.0, True), (0.999, 1.0, None, False), (2.001, None, 2.0, False),
        (5.0, None, None, True), (None, 1.0, 2.0, True), (float("nan"), 1.0, 2.0, False), (float("nan"), None, None, False),
        (float("inf"), None, 2.0, False),
    ],
)  # fmt: skip
def test_a_bound_is_closed_and_nan_meets_none(
    observed: float | None, lower: float | None, upper: float | None, is_met: bool
) -> None:
    assert Judgement(Bound("mean", "x", lower, upper, "warning"), observed).is_met is is_met


def test_what_is_not_met_is_said_with_its_range() -> None:
    judgement = Judgement(Bound("missing_share", "x", None, 0.5, "blocking", 28), 0.75)
    assert judgement.in_words == "blocking: x missing_share is 0.75, expected [, 0.5]"

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.domain.audit import audit_scores
from ml_pipeline.nights import nights_between

NIGHTS = nights_between(date(2024, 5, 5), date(2024, 5, 7))
ROWS = 30


def scores(probabilities: np.ndarray | None = None, keys: list[str] | None = None) -> pa.Table:
    """Three good nights; ``probabilities`` and ``keys`` replace those of the second."""
    generator = np.random.default_rng(0)
    parts = []
    for position, night in enumerate(NIGHTS):
        mine = probabilities if position == 1 and probabilities is not None else generator.random(ROWS)
        names = keys if position == 1 and keys is not None else [f"O{number}" for number in range(len(mine))]
        parts.append(pa.table({
            "score_date": pa.array([night] * len(mine), pa.date32()), "order_id": pa.array(names, pa.string()),
            "probability": pa.array(mine, pa.float64()),
        }))  # fmt: skip
    return pa.concat_tables(parts)


def broken(rows: pa.Table, expected: int = ROWS) -> tuple[str, ...]:
    """What is wrong with the second night; the other two must be found in order."""
    first, second, third = audit_scores(rows, {NIGHTS[0]: ROWS, NIGHTS[1]: expected, NIGHTS[2]: ROWS}, ["order_id"])
    assert first.broken == third.broken == ()
    assert second.night == NIGHTS[1]
    return second.broken


def test_good_nights_break_nothing() -> None:
    assert broken(scores()) == ()


def test_nights_are_audited_apart() -> None:
    """The same key on two nights is no doubled key."""
    audits = audit_scores(scores(), dict.fromkeys(NIGHTS, ROWS), ["order_id"])
    assert [(audit.night, audit.rows) for audit in audits] == [(night, ROWS) for night in NIGHTS]


@pytest.mark.parametrize("expected", [ROWS - 1, ROWS + 1])
def test_a_count_that_differs_from_the_spine_is_named(expected: int) -> None:
    assert broken(scores(), expected) == (f"{ROWS} rows, the spine has {expected}",)


def test_a_doubled_key_is_named() -> None:
    keys = [f"O{number}" for number in range(ROWS)]
    assert broken(scores(np.linspace(0, 1, ROWS), [*keys[:-2], "O0", "O0"])) == ("2 rows repeat a key",)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.001, 1.001, None])
def test_a_number_that_is_no_probability_is_named(value: float | None) -> None:
    table = scores()
    values = table["probability"].to_pylist()
    values[ROWS + 3] = value
    damaged = table.set_column(
        table.schema.get_field_index("probability"), "probability", pa.array(values, pa.float64())
    )
    assert broken(damaged) == ("1 probabilities are not numbers in [0, 1]",)


def test_the_ends_of_the_interval_are_probabilities() -> None:
    assert broken(scores(np.array([0.0, 1.0] * (ROWS // 2)))) == ()


@pytest.mark.parametrize(("rows", "is_suspicious"), [(19, False), (20, True), (30, True)])
def test_many_rows_that_are_all_alike_are_suspicious(rows: int, is_suspicious: bool) -> None:
    found = broken(scores(np.full(rows, 0.3)), rows)
    assert (found == ("every probability is the same",)) == is_suspicious
    assert found == () or is_suspicious


def test_a_night_without_rows_is_not_fit() -> None:
    """An empty night must not pass for a night on which nothing was wrong."""
    found = broken(scores(np.array([])), 0)
    assert len(found) == 1
    assert found[0].startswith("the spine is empty")
    assert broken(scores(np.array([]))) == (f"0 rows, the spine has {ROWS}",)


def test_every_rule_that_does_not_hold_is_named_at_once() -> None:
    found = broken(scores(np.full(ROWS, 2.0), ["same"] * ROWS), 5)
    assert len(found) == 4

"""What must block does, what may happen does not: storms, holidays and one odd night in the history."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.expectations import ColumnFacts, Judgement, NightFacts
from ml_pipeline.domain.expected_bounds import expected_bounds, judge_night

COLUMNS = ("price", "share", "shelf")


def night(
    rows: int = 900, price: float = 20.0, share: float = 0.2, *, missing: float = 0.0, shelves: int = 8
) -> NightFacts:
    values = round(rows * (1 - missing))
    return NightFacts(rows, {
        "price": ColumnFacts(values, price if values else None, 1.0 if values else None, 5 * price if values else None),
        "share": ColumnFacts(values, share if values else None, 0.0 if values else None, 1.0 if values else None),
        "shelf": ColumnFacts(rows, distinct=shelves),
    })  # fmt: skip


def weeks(count: int = 28) -> list[NightFacts]:
    """Nights with a quiet Saturday, prices that move by a tenth and shares that move by a half."""
    draw = np.random.default_rng(3)
    return [
        night(
            780 if day % 7 == 5 else 960 + int(draw.integers(0, 40)),
            20 + draw.normal(0, 0.7),
            0.2 + draw.uniform(-0.1, 0.1),
        )
        for day in range(count)
    ]


def judged(facts: NightFacts, history: list[NightFacts]) -> list[Judgement]:
    return judge_night(facts, expected_bounds(history, COLUMNS, never_missing=["shelf"], ranges={"share": (0.0, 1.0)}))


def unmet(facts: NightFacts, history: list[NightFacts] | None = None) -> set[tuple[str, str]]:
    found = judged(facts, weeks() if history is None else history)
    return {(each.bound.severity, each.bound.name) for each in found if not each.is_met}


@pytest.mark.parametrize(
    ("facts", "blocked"),
    [
        (night(rows=96), "row_count"), (night(rows=9600), "row_count"), (night(rows=0), "row_count"),
        (night(price=20 * 100), "price mean"), (night(missing=0.6), "price missing_share"), (night(missing=1.0), "price missing_share"),
        (replace(night(), columns=night().columns | {"share": ColumnFacts(900, 0.5, 0.0, 1.5)}), "share most"),
        (replace(night(), columns=night().columns | {"share": ColumnFacts(900, 0.5, -0.1, 1.0)}), "share least"),
        (replace(night(), columns=night().columns | {"shelf": ColumnFacts(899, distinct=8)}), "shelf missing_share"),
        (replace(night(), columns=night().columns | {"price": ColumnFacts(900, float("nan"), 1.0, 20.0)}), "price mean"),
    ],
)  # fmt: skip
def test_a_broken_feed_a_broken_join_and_another_unit_block(facts: NightFacts, blocked: str) -> None:
    assert ("blocking", blocked) in unmet(facts)


@pytest.mark.parametrize(
    ("facts", "warned"),
    [
        (night(), None), (night(rows=780), None), (night(rows=400), "row_count"), (night(share=0.95), "share mean"),
        (night(price=60), "price mean"), (night(missing=0.3), "price missing_share"), (night(shelves=20), "shelf distinct"),
        (night(shelves=3), "shelf distinct"),
    ],
)  # fmt: skip
def test_a_storm_or_a_holiday_warns_at_most(facts: NightFacts, warned: str | None) -> None:
    found = unmet(facts)
    assert {severity for severity, _ in found} <= {"warning"}
    assert (warned is None and not found) or ("warning", str(warned)) in found


def test_one_odd_night_in_the_history_hides_no_broken_volume() -> None:
    for odd in (night(rows=0), night(rows=9000)):
        history = [*weeks()[:-1], odd]
        assert ("blocking", "row_count") in unmet(night(rows=100), history)
        assert ("warning", "row_count") in unmet(night(rows=500), history)
        assert not {name for _, name in unmet(night(), history)} & {"row_count"}


def test_little_history_leaves_what_always_holds() -> None:
    assert {each.bound.nights_of_history for each in judged(night(), weeks(6))} == {0}
    assert ("blocking", "share most") in unmet(
        replace(night(), columns=night().columns | {"share": ColumnFacts(900, 0.5, 0.0, 1.5)}), []
    )
    assert ("blocking", "row_count") in unmet(night(rows=100), weeks(7))
    assert "mean" not in {
        each.bound.expectation for each in judged(night(), weeks(13)) if each.bound.severity == "warning"
    }


def test_no_night_of_its_own_history_leaves_the_bounds() -> None:
    for facts in weeks():
        assert unmet(facts) == set()


@given(st.permutations(range(28)))
def test_the_order_of_the_history_does_not_matter(order: list[int]) -> None:
    history = weeks()
    assert judged(night(), [history[place] for place in order]) == judged(night(), history)


def test_a_column_that_never_changed_is_not_judged_by_the_last_digits_of_a_sum() -> None:
    history = [night(price=0.1) for _ in range(28)]
    history = [replace(each, columns=each.columns | {"price": ColumnFacts(900, 0.1, 0.1, 0.1)}) for each in history]
    same = replace(
        night(), columns=night().columns | {"price": ColumnFacts(900, float(np.nextafter(0.1, 1)), 0.1, 0.1)}
    )
    other = replace(night(), columns=night().columns | {"price": ColumnFacts(900, 0.11, 0.11, 0.11)})
    assert ("warning", "price mean") not in unmet(same, history)
    assert ("warning", "price mean") in unmet(other, history)


def test_a_table_that_always_has_rows_must_have_them() -> None:
    (bound,) = expected_bounds([], COLUMNS, least_rows=1)
    assert (bound.severity, bound.lower) == ("blocking", 1.0)

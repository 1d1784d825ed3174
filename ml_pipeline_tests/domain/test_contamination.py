from datetime import date, timedelta

import numpy as np
import pytest

from ml_pipeline.domain.contamination import ComparedRows, Contamination, UsedNights, find_contamination
from ml_pipeline.domain.splits import Block
from ml_pipeline_tests.domain.contests import BEFORE, FIRST, made_rows, used

ROWS = made_rows(np.full(60, 0.3), nights=6)  # 20 April to 25 April


def found(of_champion: UsedNights = BEFORE, rows: ComparedRows = ROWS) -> Contamination:
    return find_contamination({"new": ROWS, "old": rows}, {"new": BEFORE, "old": of_champion})


def test_rows_that_nobody_used_are_a_fair_test() -> None:
    assert found() == Contamination(())
    assert found().is_clean


@pytest.mark.parametrize(
    ("first", "last", "is_fair"),
    [
        (date(2024, 4, 1), date(2024, 4, 17), True), (date(2024, 4, 1), date(2024, 4, 18), False),
        (date(2024, 4, 1), date(2024, 4, 20), False), (date(2024, 4, 22), date(2024, 4, 22), False),
        (date(2024, 4, 1), date(2024, 6, 1), False),
    ],
)  # fmt: skip
def test_a_night_that_was_used_or_lies_in_its_gap_is_none(first: date, last: date, is_fair: bool) -> None:
    contamination = found(UsedNights((Block("train", first, last),), 2))
    assert contamination.is_clean == is_fair
    assert is_fair or any(
        reason.startswith(f"old used nights {first} to {last} (train)") and reason.endswith("not a fair test")
        for reason in contamination.reasons
    )


def test_the_reason_counts_the_nights_and_names_block_and_gap() -> None:
    contamination = found(used(FIRST, purpose="calibrate"))
    (reason,) = contamination.reasons
    assert reason == (
        "old used nights 2024-01-01 to 2024-04-20 (calibrate); 3 of the nights compared (2024-04-20 to 2024-04-22) lie in "
        "them or in the gap of 2 nights around them: not a fair test"
    )


def test_a_model_from_later_nights_is_no_fair_opponent() -> None:
    """It may have learned how the nights compared turned out, from features of the nights that it trained on."""
    (reason,) = found(used(date(2024, 6, 1), first=date(2024, 5, 1))).reasons
    assert reason.startswith(
        "old used nights up to 2024-06-01; 6 of the nights compared (2024-04-20 to 2024-04-25) lie before"
    )


def test_who_says_nothing_of_its_nights_is_refused() -> None:
    assert found(UsedNights((), 2)).reasons == ("old does not say which nights it was made from: not a fair test",)


def test_each_block_is_looked_at_and_the_challenger_too() -> None:
    blocks = (*BEFORE.blocks, Block("calibrate", FIRST, FIRST))
    for name in ("new", "old"):
        contamination = find_contamination(
            {"new": ROWS, "old": ROWS}, {"new": BEFORE, "old": BEFORE, name: UsedNights(blocks, 0)}
        )
        assert [reason.split()[0] for reason in contamination.reasons] == [name]


def test_other_rows_are_no_comparison() -> None:
    fewer = ComparedRows(ROWS.keys.slice(1), ROWS.labels[1:])
    turned = ComparedRows(ROWS.keys.take(np.arange(60)[::-1]), ROWS.labels)
    labels = ROWS.labels.copy()
    labels[:2] = 1 - labels[:2]
    words = [found(rows=rows).reasons for rows in (fewer, turned, ComparedRows(ROWS.keys, labels))]
    what = "new and old were not measured on the same rows: "
    assert words == [(what + "60 against 59",), (what + "their keys differ",), (what + "2 labels differ",)]


def test_labels_that_are_not_known_and_no_rows_at_all_are_no_comparison() -> None:
    labels = ROWS.labels.copy()
    labels[7] = np.nan
    unknown, nothing = ComparedRows(ROWS.keys, labels), ComparedRows(ROWS.keys.slice(0, 0), labels[:0])
    (immature,) = find_contamination({"new": unknown}, {}).reasons
    assert immature == "1 of the rows have no known label: not matured yet"
    assert find_contamination({"new": nothing, "old": nothing}, {"new": BEFORE}).reasons == (
        "there is no row with a known label to compare on",
    )


def test_nights_come_from_the_rows_of_all() -> None:
    moved = ROWS.keys.set_column(0, "score_date", [[FIRST - timedelta(days=30)] * 60])
    reasons = found(rows=ComparedRows(moved, ROWS.labels)).reasons
    assert any("(2024-03-21 to 2024-03-21)" in reason for reason in reasons)


@pytest.mark.parametrize(("last", "is_fair"), [(date(2024, 4, 19), True), (date(2024, 4, 20), False)])
def test_a_block_that_only_chose_a_model_has_no_gap_but_is_no_fair_test(last: date, is_fair: bool) -> None:
    chosen = UsedNights(BEFORE.blocks, 2, (Block("test", date(2024, 4, 18), last),))
    assert found(chosen).is_clean == is_fair

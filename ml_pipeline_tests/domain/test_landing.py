from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.domain.landing import RowAccount, sort_rows

NIGHTS = (date(2024, 3, 1), date(2024, 3, 2))
KNOWN = datetime(2024, 3, 1, tzinfo=UTC)
CONTRACT = SourceContract.model_validate(
    {
        "name": "orders", "description": "Orders.", "owner": "team:shop", "key": ["order_id"], "known_when": "at once",
        "columns": [
            {"name": "order_id", "type": "string", "description": "Number.", "pattern": "[A-D]"},
            {"name": "price", "type": "number", "description": "Price.", "nullable": True, "minimum": 0},
            {"name": "note", "type": "string", "description": "Note.", "nullable": True},
            {"name": "known_at", "type": "timestamp", "description": "Clock."},
        ],
    }
)  # fmt: skip
SCHEMA = CONTRACT.arrow_schema().append(pa.field("score_date", pa.date32()))
# Few values, so that keys, instants and whole rows collide often.
MESSY_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "order_id": st.sampled_from(["A", "B", "C", "?", None]),
            "price": st.sampled_from([1.0, 2.0, -1.0, None, float("nan"), float("inf"), float("-inf")]),
            "note": st.sampled_from([None, "", "NA"]),
            "known_at": st.sampled_from([KNOWN, KNOWN + timedelta(microseconds=1), None]),
            "score_date": st.sampled_from(NIGHTS),
        }
    ),
    max_size=25,
)


def table(*rows: dict[str, Any]) -> pa.Table:
    good = {"order_id": "A", "price": 1.0, "note": None, "known_at": KNOWN, "score_date": NIGHTS[0]}
    return pa.Table.from_pylist([good | row for row in rows], schema=SCHEMA)


@given(MESSY_ROWS)
def test_no_row_is_lost_and_none_is_made(rows: list[dict[str, Any]]) -> None:
    sorted_rows = sort_rows(pa.Table.from_pylist(rows, schema=SCHEMA), CONTRACT)
    accounts = sorted_rows.accounts.values()
    assert all(account.is_balanced for account in accounts)
    assert sum(account.read for account in accounts) == len(rows)
    assert sum(account.landed for account in accounts) == sorted_rows.landed.num_rows
    assert sum(account.quarantined for account in accounts) == len({rule.row for rule in sorted_rows.broken})


@given(MESSY_ROWS)
def test_what_landed_is_in_key_order_with_one_row_per_key_and_instant(rows: list[dict[str, Any]]) -> None:
    landed = sort_rows(pa.Table.from_pylist(rows, schema=SCHEMA), CONTRACT).landed.to_pylist()
    identities = [(row["score_date"], row["order_id"], row["known_at"]) for row in landed]
    assert identities == sorted(set(identities))
    assert all(row["order_id"] in "ABC" and row["price"] not in (-1.0, float("inf"), float("-inf")) for row in landed)


@given(MESSY_ROWS)
def test_the_order_of_delivery_does_not_matter(rows: list[dict[str, Any]]) -> None:
    there = sort_rows(pa.Table.from_pylist(rows, schema=SCHEMA), CONTRACT)
    back = sort_rows(pa.Table.from_pylist(rows[::-1], schema=SCHEMA), CONTRACT)
    assert str(there.landed.to_pylist()) == str(back.landed.to_pylist())  # as text, because NaN differs from itself
    assert there.accounts == back.accounts


def test_exact_copies_are_dropped_and_counted() -> None:
    sorted_rows = sort_rows(table({}, {"order_id": "B"}, {}, {}), CONTRACT)
    assert sorted_rows.accounts == {"2024-03-01": RowAccount(read=4, landed=2, quarantined=0, deduplicated=2)}
    assert sorted_rows.landed["order_id"].to_pylist() == ["A", "B"]


def test_copies_in_different_nights_are_not_copies() -> None:
    assert sort_rows(table({}, {"score_date": NIGHTS[1]}), CONTRACT).landed.num_rows == 2


def test_rows_that_contradict_each_other_are_all_quarantined() -> None:
    sorted_rows = sort_rows(table({"price": 1.0}, {"price": 2.0}, {"price": 2.0}, {"order_id": "B"}), CONTRACT)
    assert sorted_rows.landed["order_id"].to_pylist() == ["B"]
    assert sorted_rows.accounts["2024-03-01"] == RowAccount(read=4, landed=1, quarantined=2, deduplicated=1)
    assert {(rule.row, rule.rule, rule.value) for rule in sorted_rows.broken} == {
        (0, "one row per key and known_at", "A"), (1, "one row per key and known_at", "A"),
    }  # fmt: skip


def test_a_broken_row_does_not_drag_its_good_twin_into_quarantine() -> None:
    sorted_rows = sort_rows(table({"price": -1.0}, {"price": 2.0}), CONTRACT)
    assert sorted_rows.landed["price"].to_pylist() == [2.0]


def test_a_correction_lands_beside_the_row_that_it_corrects() -> None:
    corrected = {"price": 2.0, "known_at": KNOWN + timedelta(hours=1)}
    assert sort_rows(table({}, corrected), CONTRACT).landed["price"].to_pylist() == [1.0, 2.0]


def test_infinity_is_quarantined_and_a_missing_number_is_not() -> None:
    sorted_rows = sort_rows(
        table({"price": float("inf")}, {"order_id": "B", "price": float("nan")}, {"order_id": "C", "price": None}),
        CONTRACT,
    )
    assert sorted_rows.landed["order_id"].to_pylist() == ["B", "C"]
    assert [rule.column for rule in sorted_rows.broken] == ["price"]


def test_a_share_of_no_rows_is_none() -> None:
    assert RowAccount(0, 0, 0, 0).quarantined_share == 0.0
    assert RowAccount(4, 3, 1, 0).quarantined_share == 0.25
    assert not RowAccount(4, 3, 0, 0).is_balanced

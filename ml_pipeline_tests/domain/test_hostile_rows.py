from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.domain.hostile_rows import hostile, hostile_landing

NIGHT = date(2024, 5, 2)
CONTRACT = SourceContract.model_validate({
    "name": "orders", "description": "Orders.", "owner": "team", "key": ["order_id"], "known_when": "at once",
    "columns": [
        {"name": name, "type": kind, "description": name, "nullable": True, **limits}
        for name, kind, limits in (
            ("order_id", "string", {}), ("code", "string", {}), ("pieces", "integer", {"minimum": 1, "maximum": 50}),
            ("price", "number", {}), ("is_gift", "boolean", {}), ("placed_at", "timestamp", {}), ("day", "date", {}),
            ("known_at", "timestamp", {}),
        )
    ],
})  # fmt: skip


def landed(nights: list[date]) -> pa.Table:
    """One order a night, known at noon of the day before."""
    known_at = [datetime(2024, 5, 1, 12, tzinfo=UTC) + timedelta(days=place) for place in range(len(nights))]
    columns = {
        "order_id": [f"O{place}" for place in range(len(nights))], "code": [f"P{place}" for place in range(len(nights))],
        "pieces": [2] * len(nights), "price": [9.5] * len(nights), "is_gift": [None] + [False] * (len(nights) - 1),
        "placed_at": known_at, "day": nights, "known_at": known_at,
    }  # fmt: skip
    rows = pa.table(columns, schema=CONTRACT.arrow_schema())
    return rows.append_column("score_date", pa.array(nights, pa.date32()))


ROWS = landed([date(2024, 4, 30), date(2024, 5, 1), NIGHT, date(2024, 5, 3), date(2024, 5, 4)])


def test_keys_nights_and_types_stay() -> None:
    found = hostile(ROWS, CONTRACT, days=[NIGHT])
    assert found.schema.equals(ROWS.schema)
    assert found.select(["order_id", "score_date"]).equals(ROWS.select(["order_id", "score_date"]))


def test_each_measure_and_each_flag_is_another_one() -> None:
    found = hostile(ROWS, CONTRACT, days=[NIGHT])
    assert found["price"].to_pylist() == [-9999.0] * 5
    assert found["is_gift"].to_pylist() == [True] * 5


def test_every_second_row_can_be_met_where_it_was_and_the_others_where_they_were_not() -> None:
    found = hostile(ROWS, CONTRACT, days=[NIGHT]).to_pylist()
    kept, moved = found[0::2], found[1::2]
    assert [row["code"] for row in kept] == ["P0", "P2", "P4"]
    assert [row["code"] for row in moved] == ["P0", "P2"]
    assert [row["pieces"] for row in kept + moved] == [2, 2, 2, 50, 50]
    assert [row["day"] for row in moved] == [NIGHT, NIGHT]
    assert {row["placed_at"].year for row in moved} == {2000}
    assert [row["placed_at"] for row in kept] == ROWS["placed_at"].to_pylist()[0::2]


def test_all_claim_to_have_been_known_for_ever_at_instants_of_their_own() -> None:
    known_at = hostile(ROWS, CONTRACT, days=[NIGHT])["known_at"].to_pylist()
    assert {instant.year for instant in known_at} == {2000}
    assert len(set(known_at)) == 5


def test_values_stay_within_the_contract() -> None:
    pieces = hostile(ROWS.set_column(2, "pieces", pa.array([1, 50, None, 49, 30], pa.int64())), CONTRACT, days=[NIGHT])
    assert pieces["pieces"].to_pylist() == [1, 1, None, 1, 30]


def test_what_the_night_knows_stays_and_is_claimed_anew_after_it() -> None:
    found = hostile_landing(ROWS, CONTRACT, NIGHT, later_nights=3)
    up_to = found.filter(pc.less_equal(found["score_date"], pa.scalar(NIGHT)))
    assert up_to.equals(ROWS.slice(0, 3))
    later = found.slice(3).to_pylist()
    assert [row["order_id"] for row in later] == ["O3", "O4", "O0", "O1", "O2"]
    assert [row["score_date"].day for row in later] == [3, 4, 3, 4, 5]
    assert {row["known_at"].year for row in later} == {2000}


def test_a_night_after_which_nothing_has_landed_yet_gets_hostile_rows_too() -> None:
    found = hostile_landing(ROWS.slice(0, 3), CONTRACT, NIGHT, later_nights=3)
    assert found.num_rows == 6


def test_no_rows_are_no_rows() -> None:
    assert hostile_landing(ROWS.slice(0, 0), CONTRACT, NIGHT, later_nights=3).num_rows == 0

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.night_rows import rows_by_night, rows_of_night

NIGHTS = [date(2024, 5, 4), date(2024, 5, 5), date(2024, 5, 6)]
ABSENT = date(2024, 5, 9)


def table(*, is_sorted: bool) -> pa.Table:
    places = np.random.default_rng(1).integers(0, len(NIGHTS), 200)
    nights = [NIGHTS[place] for place in (np.sort(places) if is_sorted else places)]
    whole = pa.table({"score_date": pa.array(nights, pa.date32()), "n": list(range(200))})
    return pa.concat_tables([whole.slice(0, 70), whole.slice(70)])


@pytest.mark.parametrize("is_sorted", [True, False])
def test_each_night_has_its_rows_in_their_order(is_sorted: bool) -> None:
    rows = table(is_sorted=is_sorted)
    found = rows_by_night(rows, [*NIGHTS, ABSENT])
    for night in [*NIGHTS, ABSENT]:
        mine = [row for row in rows.to_pylist() if row["score_date"] == night]
        assert found[night].to_pylist() == mine == rows_of_night(rows, night).to_pylist()
    assert sum(part.num_rows for part in found.values()) == rows.num_rows


def test_sorted_rows_are_not_copied() -> None:
    rows = table(is_sorted=True)
    part = rows_of_night(rows, NIGHTS[1])
    theirs = {buffer.address for chunk in rows["n"].chunks for buffer in chunk.buffers() if buffer}
    assert {buffer.address for chunk in part["n"].chunks for buffer in chunk.buffers() if buffer} <= theirs


def test_a_table_without_rows_has_none_of_any_night() -> None:
    assert rows_of_night(table(is_sorted=True).slice(0, 0), NIGHTS[0]).num_rows == 0

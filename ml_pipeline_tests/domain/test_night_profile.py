"""The profile against a plain count, over nights with holes."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.domain.night_profile import profile_of

FIRST = date(2024, 3, 1)
CONTRACT = SourceContract.model_validate(
    {
        "name": "x", "description": "X.", "owner": "team:x", "key": ["code"], "known_when": "at once",
        "bounds": {"history_nights": 3, "least_rows": 2},
        "columns": [
            {"name": name, "type": kind, "description": name, "nullable": True}
            for name, kind in (("code", "string"), ("price", "number"), ("shelf", "string"), ("known_at", "timestamp"))
        ],
    }
)  # fmt: skip
CELLS = st.tuples(st.integers(0, 9), st.sampled_from(["a", "b", "c", None]), st.sampled_from([1.0, 2.0, 3.0, None]))


@given(st.lists(CELLS, max_size=40), st.sets(st.integers(0, 9)))
def test_new_and_known_texts_are_those_of_a_plain_count(cells: list[tuple[int, str | None, float | None]], more: set[int]) -> None:  # fmt: skip
    days = sorted({day for day, _, _ in cells} | more)
    rows = pa.table({
        "score_date": pa.array([FIRST + timedelta(day) for day, _, _ in cells], pa.date32()),
        "shelf": pa.array([text for _, text, _ in cells], pa.string()),
        "price": pa.array([price for _, _, price in cells], pa.float64()),
    })  # fmt: skip
    counts = {FIRST + timedelta(day): sum(day == other for other, _, _ in cells) for day in days}
    profile = profile_of(rows, counts, CONTRACT)
    seen = {day: {text for other, text, _ in cells if other == day and text is not None} for day in range(-3, 10)}
    for place, day in enumerate(days):
        before = set().union(*(seen[day - back] for back in (1, 2, 3)))
        assert profile.texts[0].new[place] == len(seen[day] - before)
        assert profile.texts[0].known[place] == len(before)
        there = [price for other, _, price in cells if other == day and price is not None]
        median = profile.numbers[0].median[place]
        assert np.isnan(median) if len(there) < 2 else median == sorted(there)[len(there) // 2]

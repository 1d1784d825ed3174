from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.domain.labelling import match_labels

FIRST = date(2024, 5, 1)
CLOCK = datetime(2024, 5, 1, tzinfo=UTC)
ROW_SCHEMA = pa.schema([("score_date", pa.date32()), ("shop", pa.string()), ("order_id", pa.int64())])
LABEL_SCHEMA = pa.schema([
    ("score_date", pa.date32()), ("shop", pa.string()), ("order_id", pa.int64()), ("labelled_date", pa.date32()),
    ("label_known_at", pa.timestamp("us", tz="UTC")), ("label", pa.bool_()),
])  # fmt: skip
DAYS = st.integers(0, 3).map(lambda days: FIRST + timedelta(days=days))
KEYS = st.tuples(DAYS, st.sampled_from(["a", "b"]), st.integers(1, 3))
OUTCOMES = st.tuples(KEYS, st.integers(0, 5), st.integers(0, 5), st.booleans())
KEY = ("shop", "order_id")


def rows(*keys: tuple[date, str, int]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(ROW_SCHEMA.names, key, strict=True)) for key in keys], schema=ROW_SCHEMA)


def outcome(key: tuple[date, str, int], known_on: int, minute: int, label: bool) -> dict[str, Any]:
    return {
        "score_date": FIRST + timedelta(days=known_on), "shop": key[1], "order_id": key[2], "labelled_date": key[0],
        "label_known_at": CLOCK + timedelta(days=known_on, minutes=minute), "label": label,
    }  # fmt: skip


def labels(*outcomes: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(outcomes), schema=LABEL_SCHEMA)


@given(
    st.lists(KEYS, max_size=15), st.lists(OUTCOMES, max_size=25, unique_by=lambda entry: (entry[0], entry[1], entry[2]))
)
def test_each_row_gets_what_was_last_known_of_it_in_its_own_place(
    keys: list[tuple[date, str, int]], outcomes: list[tuple[tuple[date, str, int], int, int, bool]]
) -> None:
    latest: dict[tuple[date, str, int], tuple[int, int, bool]] = {}
    for key, known_on, minute, label in outcomes:
        latest[key] = max(latest.get(key, (-1, -1, False)), (known_on, minute, label))
    found = match_labels(rows(*keys), labels(*(outcome(*entry) for entry in outcomes)), KEY)
    expected = [float(latest[key][2]) if key in latest else np.nan for key in keys]
    assert np.array_equal(found, np.array(expected, dtype=float), equal_nan=True)


def test_an_order_scored_on_two_nights_has_two_labels() -> None:
    one, two = (FIRST, "a", 1), (FIRST + timedelta(days=1), "a", 1)
    found = match_labels(rows(two, one), labels(outcome(one, 2, 0, True), outcome(two, 3, 0, False)), KEY)
    assert found.tolist() == [0.0, 1.0]


def test_an_unknown_label_is_missing_and_not_a_zero() -> None:
    key = (FIRST, "a", 1)
    assert np.isnan(match_labels(rows(key), labels(), KEY)).all()
    missing = match_labels(rows(key), labels(outcome(key, 1, 0, False) | {"label": None}), KEY)
    assert np.isnan(missing).all()


def test_the_order_of_the_label_rows_does_not_matter() -> None:
    keys = [(FIRST, "a", number) for number in range(200)]
    outcomes = [
        outcome(key, known_on, 0, (number + known_on) % 3 == 0)
        for number, key in enumerate(keys)
        for known_on in (1, 2)
    ]
    forward, backward = (match_labels(rows(*keys), labels(*part), KEY) for part in (outcomes, outcomes[::-1]))
    assert np.array_equal(forward, backward)

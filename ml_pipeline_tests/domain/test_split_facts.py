from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.domain.label_times import KnownLabels
from ml_pipeline.domain.split_facts import describe_split, entity_columns
from ml_pipeline.domain.split_report import SplitReport
from ml_pipeline.domain.splits import Block, Blocks
from ml_pipeline.nights import NightCalendar

FIRST = date(2024, 3, 1)
KEY = ("route", "number", "planned_at")
SCHEMA = pa.schema([
    ("score_date", pa.date32()), ("route", pa.string()), ("number", pa.int64()), ("planned_at", pa.timestamp("us", tz="UTC")),
])  # fmt: skip


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


# Horizon two nights: train on days 0 and 1, then one day a block.
BLOCKS = Blocks(
    Block("train", day(0), day(1)), Block("early_stop", day(4), day(4)), Block("calibrate", day(7), day(7)),
    Block("test", day(10), day(10)), 2,
)  # fmt: skip
TRAINED_ON = day(12)
# Day, route, number, label, and how many days after the row's own cutoff it became known (None: never).
ROWS = [
    (0, "a", 1, 1.0, 1), (0, "b", 1, 0.0, 1), (0, "b", 2, np.nan, None), (1, "a", 1, 0.0, 2), (1, "c", 1, 1.0, 4),
    (4, "a", 1, 1.0, 1), (4, "b", 2, 0.0, 1),
    (5, "z", 9, 1.0, 1),
    (7, "a", 1, 0.0, 0), (7, "a", 2, 0.0, 1),
    (10, "c", 1, 0.0, 1), (10, "c", 1, 0.0, 1), (10, "d", 7, 1.0, 2),
]  # fmt: skip


def described(key: tuple[str, ...] = KEY) -> SplitReport:
    calendar = NightCalendar("UTC", time(20), 1, FIRST)
    table = pa.Table.from_pylist(
        [
            {"score_date": day(number), "route": route, "number": flight,
             "planned_at": datetime(2024, 3, 1, position, tzinfo=UTC) + timedelta(days=number)}
            for position, (number, route, flight, *_) in enumerate(ROWS)
        ],
        schema=SCHEMA,
    )  # fmt: skip
    known_at = [
        np.datetime64("NaT") if after is None
        else np.datetime64((calendar.cutoff(day(number)) + timedelta(days=after)).replace(tzinfo=None))
        for number, _, _, _, after in ROWS
    ]  # fmt: skip
    known = KnownLabels(np.array([row[3] for row in ROWS]), np.array(known_at, dtype="datetime64[us]"))
    return describe_split(
        BLOCKS, table, known, key=key, calendar=calendar, trained_on=TRAINED_ON, label_horizon_nights=2
    )


def test_an_entity_is_the_key_without_its_times() -> None:
    assert entity_columns(SCHEMA.empty_table(), KEY) == ("route", "number")
    assert described().entity == ("route", "number")


def test_rows_and_labels_are_counted_by_block_and_those_between_blocks_are_not() -> None:
    counted = {block.purpose: (block.nights, block.rows, block.labelled_rows, block.unlabelled_rows)
               for block in described().blocks}  # fmt: skip
    assert counted == {
        "train": (2, 5, 4, 1),
        "early_stop": (1, 2, 2, 0),
        "calibrate": (1, 2, 2, 0),
        "test": (1, 3, 3, 0),
    }
    assert [block.positive_share for block in described().blocks] == [0.5, 0.5, 0.0, pytest.approx(1 / 3)]


def test_entities_are_those_of_labelled_rows_and_met_if_the_train_block_has_them_labelled() -> None:
    train, early_stop, calibrate, test = described().blocks
    assert (train.distinct, train.entities) == ({"route": 3, "number": 1}, 3)
    assert (train.met_entity_share, train.met_row_share) == (1.0, 1.0)
    # b 2 is in the train block, but its label never came: the model has not learned from it.
    assert (early_stop.entities, early_stop.met_entity_share) == (2, 0.5)
    assert (calibrate.distinct, calibrate.met_entity_share) == ({"route": 1, "number": 2}, 0.5)
    assert (test.entities, test.met_entity_share, test.met_row_share) == (2, 0.5, pytest.approx(2 / 3))


def test_labels_out_of_time_are_counted() -> None:
    train, early_stop, calibrate, test = described().blocks
    # Day 1's c is known four days later, that is after two nights, and on day 5, after day 4 was scored; b 2 never is.
    assert (train.early_labels, train.late_labels, train.overdue_labels) == (0, 2, 1)
    assert (early_stop.early_labels, early_stop.late_labels, early_stop.overdue_labels) == (0, 0, 0)
    assert (calibrate.early_labels, calibrate.late_labels, calibrate.overdue_labels) == (1, 0, 0)
    assert (test.early_labels, test.late_labels, test.overdue_labels) == (0, 0, 0)
    assert train.latest_label_known_at == datetime(2024, 3, 5, 20, tzinfo=UTC)
    assert test.latest_label_known_at == described().cutoff_at == datetime(2024, 3, 12, 20, tzinfo=UTC)


def test_a_key_of_times_alone_has_no_entities() -> None:
    report = described(("planned_at",))
    assert report.entity == ()
    assert {(block.entities, block.met_entity_share, block.met_row_share) for block in report.blocks} == {
        (None, None, None)
    }

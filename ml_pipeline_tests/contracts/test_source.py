from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.source import SourceContract, load_sources

COLUMNS = [
    {"name": "order_id", "type": "string", "description": "Number."},
    {"name": "known_at", "type": "timestamp", "description": "Clock."},
]


DAY = {"name": "day", "type": "date", "description": "Day."}


def expected_by(column: str, nights: float = 1) -> dict[str, Any]:
    return {"expected_by": {"column": column, "nights": nights}}


def contract(**changes: Any) -> SourceContract:
    entry = {
        "name": "orders", "description": "Orders.", "owner": "team:shop", "key": ["order_id"], "known_when": "at once",
        "columns": COLUMNS,
    }  # fmt: skip
    return SourceContract.model_validate(entry | changes)


def test_columns_have_exact_arrow_types() -> None:
    expected = pa.schema([("order_id", pa.string()), ("known_at", pa.timestamp("us", tz="UTC"))])
    assert contract().arrow_schema() == expected
    assert contract().column_names == ("order_id", "known_at")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": [*COLUMNS, COLUMNS[0]]}, "source orders: a column is declared twice"),
        ({"key": ["customer"]}, r"columns \['customer'\] are needed but not declared"),
        ({"columns": COLUMNS[:1]}, r"columns \['known_at'\] are needed but not declared"),
        ({"columns": [*COLUMNS, COLUMNS[0] | {"name": "score_date"}]}, "are added by the pipeline; rename yours"),
        ({"columns": [*COLUMNS, COLUMNS[0] | {"name": "known_on"}]}, "are added by the pipeline; rename yours"),
        ({"columns": [*COLUMNS, COLUMNS[0] | {"name": "cutoff_at"}]}, "are added by the pipeline; rename yours"),
        ({"columns": [*COLUMNS, COLUMNS[0] | {"name": 'x"; drop'}]}, "should match pattern"),
        ({"columns": [*COLUMNS, COLUMNS[0] | {"name": "x", "type": "float"}]}, "Input should be"),
        ({"name": "../orders"}, "should match pattern"),
        ({"name": "orders\n"}, "should match pattern"),
        ({"key": []}, "at least 1 item"),
        ({"max_quarantined_share": 1.5}, "less than or equal to 1"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
        (expected_by("dispatched_on"), "source orders: expected_by names column dispatched_on, which is not declared"),
        (expected_by("order_id"), "source orders: expected_by needs a date or a timestamp, order_id is a string"),
        (expected_by("known_at"), "source orders: expected_by names known_at, by which every row is in time"),
        (
            expected_by("day") | {"columns": [*COLUMNS, DAY | {"nullable": True}]},
            "expected_by names day, which may be missing; name one that is not",
        ),
        (expected_by("day", -1) | {"columns": [*COLUMNS, DAY]}, "greater than or equal to 0"),
        (expected_by("day", 1.5) | {"columns": [*COLUMNS, DAY]}, "valid integer"),
        ({"expected_by": {"column": "day"}, "columns": [*COLUMNS, DAY]}, "Field required"),
    ],
)
def test_a_bad_contract_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        contract(**changes)


@pytest.mark.parametrize("kind", ["date", "timestamp"])
def test_a_source_may_say_when_it_expects_its_rows_and_need_not(kind: str) -> None:
    assert contract().expected_by is None
    expected = contract(columns=[*COLUMNS, DAY | {"type": kind}], **expected_by("day", 0)).expected_by
    assert expected is not None and (expected.column, expected.nights) == ("day", 0)


def test_sources_keep_the_order_of_the_file(shop_project: Path) -> None:
    assert list(load_sources(shop_project / "sources.yml")) == ["orders", "returns", "products"]

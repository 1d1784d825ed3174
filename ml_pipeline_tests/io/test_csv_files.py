"""The first cell that is not written as its type is found wherever it stands, and nothing personal is told of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.csv_files import CsvRows, read_csv_file
from ml_pipeline.io.file_gate import open_gated


def contract(*, pii: bool = False) -> SourceContract:
    kinds = {"quantity": "integer", "price": "number", "day": "date", "known_at": "timestamp"}
    return SourceContract.model_validate({
        "name": "orders", "description": "Orders.", "owner": "team:shop", "key": ["quantity"], "known_when": "at once",
        "columns": [{"name": name, "type": kind, "description": name, "pii": pii} for name, kind in kinds.items()],
    })  # fmt: skip


def read(folder: Path, lines: list[str], *, pii: bool = False) -> CsvRows:
    path = folder / "day.csv"
    path.write_text("\n".join(["quantity,price,day,known_at", *lines]) + "\n", encoding="utf-8")
    with open_gated(path, folder, contract().limits, settle_seconds=0) as file:
        return read_csv_file(path, file, contract(pii=pii))


GOOD = "3,1.5,2024-03-01,2024-03-01 12:00:00Z"


@pytest.mark.parametrize("place", [0, 1, 2, 499, 998, 999])
@pytest.mark.parametrize(("bad", "column"), [("9" * 19, "quantity"), ("three", "quantity"), ("2024-02-30", "day")])
def test_a_bad_cell_is_found_by_its_line_whatever_comes_before(
    tmp_path: Path, place: int, bad: str, column: str
) -> None:
    lines = [GOOD] * 1000
    lines[place] = GOOD.replace("3", bad, 1) if column == "quantity" else GOOD.replace("2024-03-01", bad, 1)
    with pytest.raises(DeliveryError, match=f"line {place + 2}, column {column}: '{bad}' is not"):
        read(tmp_path, lines)


def test_a_personal_cell_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="line 2, column quantity: a personal value is not") as refusal:
        read(tmp_path, [GOOD.replace("3", "GraceHopper", 1)], pii=True)
    assert "Grace" not in str(refusal.value)


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.dates())
def test_numbers_and_days_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, quantity: int, price: float, day: object) -> None:  # fmt: skip
    row = read(tmp_path_factory.getbasetemp(), [f"{quantity},{price!r},{day},2024-03-01 12:00:00Z"]).rows.to_pylist()[0]
    assert (row["quantity"], row["price"].hex(), row["day"]) == (quantity, price.hex(), day)


def test_second_60_and_nothing_else_is_a_fault_of_the_row_alone(tmp_path: Path) -> None:
    found = read(tmp_path, [GOOD, GOOD.replace("12:00:00Z", "12:00:60Z")])
    assert found.faults.to_pylist() == [None, "known_at: on a clock of sixty seconds"]
    assert found.rows.column("known_at").null_count == 1

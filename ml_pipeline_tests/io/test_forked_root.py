"""A fork has the same past, and what happens in it stays in it."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from ml_pipeline.io.forked_root import fork_root, fork_tables
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.io.table_store import NightInputs, TableStore

NIGHTS = [date(2024, 1, 1), date(2024, 1, 2)]


def publish(root: Path, night: date, value: int) -> None:
    schema = pa.schema([("score_date", pa.date32()), ("id", pa.int64()), ("value", pa.int64())])
    rows = pa.Table.from_pylist([{"score_date": night, "id": 1, "value": value}], schema=schema)
    TableStore(root).publish("scores", rows, {night: NightInputs(str(value), {})}, key=["id"])


def values(root: Path) -> dict[date, int]:
    rows = TableStore(root).read("scores", NIGHTS).to_pylist()
    return {row["score_date"]: row["value"] for row in rows}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    publish(root, NIGHTS[0], 1)
    Ledger(root / "ledgers" / "promotions").append({"challenger": "m1"})
    (root / "locks").mkdir(exist_ok=True)
    (root / "locks" / "runs").write_text("of this root")
    return root


def test_both_go_on_from_the_same_past_and_neither_sees_the_other(source: Path, tmp_path: Path) -> None:
    fork = tmp_path / "fork"
    fork_root(source, fork)
    assert values(fork) == {NIGHTS[0]: 1}
    publish(fork, NIGHTS[0], 2)
    publish(fork, NIGHTS[1], 3)
    publish(source, NIGHTS[1], 4)
    Ledger(fork / "ledgers" / "promotions").append({"challenger": "m2"})
    assert values(fork) == {NIGHTS[0]: 2, NIGHTS[1]: 3}
    assert values(source) == {NIGHTS[0]: 1, NIGHTS[1]: 4}
    assert [entry["challenger"] for entry in Ledger(source / "ledgers" / "promotions").entries()] == ["m1"]
    assert [entry["challenger"] for entry in Ledger(fork / "ledgers" / "promotions").entries()] == ["m1", "m2"]


def test_no_file_is_copied_that_never_changes_and_none_shared_that_does(source: Path, tmp_path: Path) -> None:
    fork_root(source, tmp_path / "fork")
    for path in (file for file in (tmp_path / "fork").rglob("*") if file.is_file()):
        original = source / path.relative_to(tmp_path / "fork")
        assert path.samefile(original) == (path.suffix != ".sqlite"), path
    assert not (tmp_path / "fork" / "locks").exists()


def test_tables_alone_bring_their_receipts(source: Path, tmp_path: Path) -> None:
    fork_tables(source, tmp_path / "fork", ["scores", "labels"])
    assert values(tmp_path / "fork") == {NIGHTS[0]: 1}
    assert sorted(path.name for path in (tmp_path / "fork").iterdir()) == ["night_index.sqlite", "receipts", "scores"]


def test_a_root_that_is_there_is_not_written_over(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        fork_root(source, source)

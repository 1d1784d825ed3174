import json
from datetime import date
from pathlib import Path

import pyarrow as pa

from ml_pipeline.io.commit_receipts import CommitReceipts, Damage
from ml_pipeline.io.table_store import NightInputs, TableStore

NIGHTS = [date(2024, 5, day) for day in (1, 2, 3)]


def publish(store: TableStore, night: date, value: int) -> None:
    rows = pa.table({"score_date": pa.array([night], pa.date32()), "value": [value]})
    store.publish("values", rows, {night: NightInputs(str(value), {})}, key=["value"])


def damages(root: Path, newest: int) -> list[Damage]:
    return [found for found in CommitReceipts(root).damages("values", newest) if isinstance(found, Damage)]


def test_each_commit_has_a_receipt_once_it_is_published(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    for value, night in enumerate(NIGHTS):
        publish(store, night, value)
        newest = store.version("values")
        assert CommitReceipts(tmp_path).path("values", newest).exists()
        assert damages(tmp_path, newest) == []
    assert store.seal("values") == 0


def test_receipts_that_a_crash_left_out_are_made_up_for_by_the_next_commit(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    publish(store, NIGHTS[0], 0)
    publish(store, NIGHTS[1], 1)
    newest = store.version("values")
    for version in (newest - 1, newest):
        CommitReceipts(tmp_path).path("values", version).unlink()
    publish(store, NIGHTS[2], 2)
    assert damages(tmp_path, newest + 1) == []


def test_a_receipt_that_was_written_anew_breaks_the_chain(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    publish(store, NIGHTS[0], 0)
    publish(store, NIGHTS[1], 1)
    (file,) = store.files("values", NIGHTS[:1])
    file.write_bytes(file.read_bytes() + b" ")
    receipts, newest = CommitReceipts(tmp_path), store.version("values")
    assert [damage.path for damage in damages(tmp_path, newest)] == [file]
    forged = receipts.path("values", newest - 1)
    forged.unlink()
    forged.write_text(json.dumps(receipts._made("values", newest - 1)))
    assert [damage.path for damage in damages(tmp_path, newest)] == [receipts.path("values", newest)]

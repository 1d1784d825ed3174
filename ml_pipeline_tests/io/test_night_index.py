"""The index never says anything else than the logs, whatever happens to either."""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.io.delta_log import fingerprint
from ml_pipeline.io.night_index import NightIndex
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.nights import Night, nights_between

NIGHTS = nights_between(date(2024, 2, 27), date(2024, 3, 5))


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    (tmp_path / "data").mkdir()
    return TableStore(tmp_path / "data")


def publish(store: TableStore, night: Night, value: float, inputs: str = "inputs", table: str = "raw/orders") -> None:
    rows = pa.table({"score_date": pa.array([night], pa.date32()), "value": [value]})
    store.publish(table, rows, {night: NightInputs(inputs, {"read": 1})}, key=["value"])


def from_the_logs(store: TableStore, tmp_path: Path) -> dict[Night, object]:
    """What a store says that has no index yet."""
    shutil.copytree(store.root, tmp_path / "bare", ignore=shutil.ignore_patterns("*.sqlite"))
    found = TableStore(tmp_path / "bare").published("raw/orders")
    shutil.rmtree(tmp_path / "bare")
    return dict(found)


def lose_the_index(store: TableStore) -> None:
    (store.root / "night_index.sqlite").unlink()


def tear_the_index(store: TableStore) -> None:
    (store.root / "night_index.sqlite").write_bytes(b"torn " * 1000)


def publish_behind_its_back(store: TableStore) -> None:
    aside = store.root.parent / "aside.sqlite"
    shutil.copy2(store.root / "night_index.sqlite", aside)
    publish(store, NIGHTS[0], 7.0)
    publish(store, NIGHTS[5], 7.0)
    shutil.copy2(aside, store.root / "night_index.sqlite")


def restore_and_write_on(store: TableStore) -> None:
    """A backup of the table comes back, and other nights are published: the same version numbers, other commits."""
    index = store.root / "night_index.sqlite"
    shutil.copytree(store.path("raw/orders"), store.root.parent / "backup")
    publish(store, NIGHTS[2], 100.0)
    aside = shutil.copy2(index, store.root.parent / "aside.sqlite")
    shutil.rmtree(store.path("raw/orders"))
    shutil.copytree(store.root.parent / "backup", store.path("raw/orders"))
    publish(store, NIGHTS[3], 200.0)
    shutil.copy2(aside, index)


def make_the_table_again(store: TableStore) -> None:
    shutil.rmtree(store.path("raw/orders"))
    publish(store, NIGHTS[6], 9.0)


@pytest.mark.parametrize(
    "harm", [lose_the_index, tear_the_index, publish_behind_its_back, restore_and_write_on, make_the_table_again]
)
def test_the_index_is_made_to_match_the_logs(
    store: TableStore, tmp_path: Path, harm: Callable[[TableStore], None]
) -> None:
    for number, night in enumerate(NIGHTS[:4]):
        publish(store, night, float(number))
    store.published("raw/orders")
    harm(store)
    expected = from_the_logs(store, tmp_path)
    assert len(expected) > 0
    assert dict(store.published("raw/orders")) == expected
    publish(store, NIGHTS[7], 8.0)
    assert dict(store.published("raw/orders")) == from_the_logs(store, tmp_path)


def test_only_the_wanted_nights_are_answered_in_order(store: TableStore) -> None:
    for night in reversed(NIGHTS):
        publish(store, night, 1.0)
    assert list(store.published("raw/orders")) == list(NIGHTS)
    assert list(store.published("raw/orders", [NIGHTS[4], NIGHTS[1], date(2030, 1, 1)])) == [NIGHTS[1], NIGHTS[4]]
    assert store.published("raw/orders", []) == {}


def test_tables_do_not_mix(store: TableStore) -> None:
    publish(store, NIGHTS[0], 1.0)
    publish(store, NIGHTS[1], 1.0, table="raw/returns")
    assert list(store.published("raw/orders")) == [NIGHTS[0]] and list(store.published("raw/returns")) == [NIGHTS[1]]


def test_inputs_that_gave_the_same_content_are_remembered_for_that_content_only(store: TableStore) -> None:
    publish(store, NIGHTS[0], 1.0, "first")
    publish(store, NIGHTS[0], 1.0, "second")
    assert store.published("raw/orders")[NIGHTS[0]].inputs_hash == "second"
    publish(store, NIGHTS[0], 2.0, "third")
    assert store.published("raw/orders")[NIGHTS[0]].inputs_hash == "third"


def test_who_may_only_read_gets_the_same_answer(
    store: TableStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, NIGHTS[0], 1.0)
    expected = store.published("raw/orders")
    lose_the_index(store)
    monkeypatch.setattr("os.access", lambda *_: False)  # a root user may write whatever the mode says
    assert store.published("raw/orders") == expected
    assert not (store.root / "night_index.sqlite").exists()


def test_a_busy_index_is_not_taken_for_a_broken_one(tmp_path: Path) -> None:
    index = NightIndex(tmp_path)
    index.remember("raw/orders", {(NIGHTS[0], "content"): "inputs"})
    before = index.path.read_bytes()

    def ask_while_locked(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database is locked")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        index._ask(ask_while_locked)
    assert index.path.read_bytes() == before


def test_every_publication_is_told_with_its_instant_also_an_empty_one(store: TableStore) -> None:
    publish(store, NIGHTS[1], 1.0)
    publish(store, NIGHTS[0], 1.0)
    store.publish("raw/orders", store.read("raw/orders", []), {NIGHTS[1]: NightInputs("", {})}, key=["value"])
    told = store.publications("raw/orders")
    logged = {
        version: json.loads(
            (store.path("raw/orders") / "_delta_log" / f"{version:020}.json").read_text().splitlines()[0]
        )
        for version in range(4)
    }
    assert [(each.night, each.rows) for each in told] == [(NIGHTS[0], 1), (NIGHTS[1], 1), (NIGHTS[1], 0)]
    for each in told:
        milliseconds = logged[each.revision]["commitInfo"]["timestamp"]
        assert each.published_at == datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    assert store.publications("raw/nothing") == [] == store.every_file("raw/nothing")


def test_files_that_were_replaced_are_told_with_the_commit_that_added_them_as_long_as_they_are_kept(
    store: TableStore,
) -> None:
    publish(store, NIGHTS[0], 1.0)
    publish(store, NIGHTS[0], 2.0)
    old, new = store.every_file("raw/orders")
    assert [pq.read_table(file)["value"].to_pylist() for _, file in (old, new)] == [[1.0], [2.0]]
    assert old[0] < new[0]
    old[1].unlink()
    assert store.every_file("raw/orders") == [new]


def test_a_clock_that_goes_back_puts_no_commit_before_an_earlier_one(store: TableStore) -> None:
    publish(store, NIGHTS[0], 1.0)
    publish(store, NIGHTS[0], 2.0)
    path = store.path("raw/orders") / "_delta_log" / f"{store.version('raw/orders'):020}.json"
    path.write_text(re.sub(r'"timestamp":\d+', '"timestamp":1', path.read_text()))
    lose_the_index(store)
    first, second = store.publications("raw/orders")
    assert first.revision < second.revision
    assert first.published_at == second.published_at


def test_an_index_of_an_earlier_make_is_read_anew(store: TableStore) -> None:
    publish(store, NIGHTS[0], 1.0)
    expected = store.publications("raw/orders")
    with closing(sqlite3.connect(store.root / "night_index.sqlite")) as connection, connection:
        connection.execute("drop table commits")
        connection.execute("update watermarks set fingerprint = ?", (fingerprint(store.path("raw/orders"), 1),))
    assert store.publications("raw/orders") == expected != []

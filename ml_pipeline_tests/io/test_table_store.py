from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.nights import Night, nights_between

NIGHTS = nights_between(date(2024, 2, 27), date(2024, 3, 5))
SCHEMA = pa.schema([("score_date", pa.date32()), ("order_id", pa.string()), ("value", pa.float64())])


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    return TableStore(tmp_path / "data")


def rows(*cells: tuple[Night, str, float | None]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, cell, strict=True)) for cell in cells], schema=SCHEMA)


def publish(store: TableStore, table: pa.Table, nights: list[Night], inputs: str = "inputs") -> tuple[Night, ...]:
    notes = {night: NightInputs(inputs, {"read": 1}) for night in nights}
    return store.publish("raw/orders", table, notes, key=["order_id"]).changed


def test_rows_come_back_in_night_and_key_order_with_the_night_first(store: TableStore) -> None:
    given_rows = rows((NIGHTS[1], "a", 1.0), (NIGHTS[0], "c", None), (NIGHTS[0], "b", 3.0))
    publish(store, given_rows.select(["value", "order_id", "score_date"]), list(NIGHTS))
    expected = rows((NIGHTS[0], "b", 3.0), (NIGHTS[0], "c", None), (NIGHTS[1], "a", 1.0))
    assert store.read("raw/orders", [NIGHTS[1], NIGHTS[0]], ["order_id", "value"]).equals(expected)


def test_key_order_survives_a_big_night(store: TableStore) -> None:
    keys = [f"{(number * 7919) % 200_003:06d}" for number in range(200_000)]
    table = pa.table([[NIGHTS[0]] * len(keys), keys, [0.0] * len(keys)], schema=SCHEMA)
    publish(store, table, [NIGHTS[0]])
    assert store.read("raw/orders", [NIGHTS[0]])["order_id"].to_pylist() == sorted(keys)


def test_a_range_of_nights_is_one_commit(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]])
    before = store.version("raw/orders")
    changed = publish(store, rows(*((night, "b", 2.0) for night in NIGHTS)), list(NIGHTS))
    assert (changed, store.version("raw/orders")) == (NIGHTS, before + 1)


def test_identical_content_makes_no_commit_whatever_its_order_and_chunks(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0), (NIGHTS[0], "b", None)), [NIGHTS[0]])
    before = store.version("raw/orders")
    again = pa.concat_tables([rows((NIGHTS[0], "b", None)), rows((NIGHTS[0], "a", 1.0))])
    assert publish(store, again, [NIGHTS[0]]) == ()
    assert store.version("raw/orders") == before


def test_only_the_named_nights_are_replaced(store: TableStore) -> None:
    publish(store, rows(*((night, "a", 1.0) for night in NIGHTS)), list(NIGHTS))
    assert publish(store, rows((NIGHTS[2], "z", 9.0)), [NIGHTS[2]]) == (NIGHTS[2],)
    found = store.read("raw/orders", NIGHTS)["order_id"].to_pylist()
    assert found == ["a", "a", "z", "a", "a", "a", "a", "a"]


def test_a_publish_commits_only_the_nights_that_differ(store: TableStore) -> None:
    publish(store, rows(*((night, "a", 1.0) for night in NIGHTS)), list(NIGHTS))
    files = {path.name for path in store.files("raw/orders", NIGHTS[1:])}
    assert (
        publish(store, rows((NIGHTS[0], "z", 9.0), *((night, "a", 1.0) for night in NIGHTS[1:])), list(NIGHTS))
        == NIGHTS[:1]
    )
    assert {path.name for path in store.files("raw/orders", NIGHTS[1:])} == files


def test_a_night_of_no_rows_is_recorded_and_can_replace_rows(store: TableStore) -> None:
    assert publish(store, rows(), [NIGHTS[0]]) == (NIGHTS[0],)
    assert store.published("raw/orders")[NIGHTS[0]].rows == 0
    publish(store, rows((NIGHTS[0], "a", 1.0), (NIGHTS[1], "b", 1.0)), list(NIGHTS[:2]))
    publish(store, rows(), [NIGHTS[0]])
    assert store.read("raw/orders", NIGHTS)["order_id"].to_pylist() == ["b"]
    assert store.published("raw/orders")[NIGHTS[0]].rows == 0


def test_rows_of_a_night_that_is_not_published_are_refused(store: TableStore) -> None:
    with pytest.raises(ValueError, match="rows of a night that is not being published"):
        publish(store, rows((NIGHTS[0], "a", 1.0), (NIGHTS[1], "b", 1.0)), [NIGHTS[1]])
    assert not store.exists("raw/orders")


def test_the_log_tells_content_inputs_and_counts_of_a_night(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0), (NIGHTS[1], "a", 1.0)), list(NIGHTS[:2]), inputs="first")
    publish(store, rows((NIGHTS[0], "a", 2.0)), [NIGHTS[0]], inputs="second")
    published = store.published("raw/orders")
    assert [night.inputs_hash for night in published.values()] == ["second", "first"]
    assert [(night.rows, night.facts) for night in published.values()] == [(1, {"read": 1}), (1, {"read": 1})]
    assert published[NIGHTS[0]].content_hash != published[NIGHTS[1]].content_hash


@pytest.mark.parametrize(
    "name",
    ["../secrets", "raw/../../x", "/etc/passwd", "raw/", "/raw", "raw//x", "Raw/orders", "raw/orders\n", "raw/a/b", "",
     "raw/..", ".hidden", "raw/é", "raw\\orders", "raw orders", "raw/" + "x" * 65, "x' or 1=1 --"],
)  # fmt: skip
def test_hostile_table_names_are_refused_by_every_door(store: TableStore, name: str) -> None:
    for door in (store.path, store.exists, store.version, store.published, store.files):
        with pytest.raises(ValueError, match="is not a table name"):
            door(name)
    with pytest.raises(ValueError, match="is not a table name"):
        store.read(name, NIGHTS)
    assert not store.root.exists()


def test_a_table_that_was_never_published_is_empty_until_it_is_read(store: TableStore) -> None:
    assert (store.version("raw/orders"), store.published("raw/orders"), store.files("raw/orders")) == (-1, {}, [])
    with pytest.raises(FileNotFoundError, match="materialise the asset raw/orders first"):
        store.read("raw/orders", NIGHTS)


def test_nights_that_were_not_published_read_as_no_rows(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]])
    found = store.read("raw/orders", [NIGHTS[5]])
    assert (found.num_rows, found.schema) == (0, SCHEMA)


def test_a_reader_that_holds_the_old_files_is_not_disturbed(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]])
    (old,) = store.files("raw/orders")
    publish(store, rows((NIGHTS[0], "a", 2.0)), [NIGHTS[0]])
    assert old.exists() and store.files("raw/orders") != [old]


@pytest.mark.parametrize("folder", ["with space", "ünïcode", "a=b", "hash#x", "quote'x"])
def test_the_data_root_may_have_any_name(tmp_path: Path, folder: str) -> None:
    store = TableStore(tmp_path / folder)
    publish(store, rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]])
    assert store.read("raw/orders", [NIGHTS[0]]).equals(rows((NIGHTS[0], "a", 1.0)))


@pytest.mark.parametrize("folder", ["per%20cent", "[brackets]"])
def test_a_data_root_that_the_log_cannot_name_is_refused_before_anything_is_written(
    tmp_path: Path, folder: str
) -> None:
    with pytest.raises(ValueError, match="data root"):
        publish(TableStore(tmp_path / folder), rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]])


def test_writers_at_the_same_time_lose_nothing(store: TableStore) -> None:
    publish(store, rows(), list(NIGHTS))
    with ThreadPoolExecutor(4) as pool:
        changed = list(pool.map(lambda night: publish(store, rows((night, "a", 1.0)), [night]), NIGHTS))
    assert changed == [(night,) for night in NIGHTS]
    assert store.read("raw/orders", NIGHTS)["score_date"].to_pylist() == list(NIGHTS)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from(NIGHTS[:4]), st.lists(st.sampled_from("abc"), unique=True)),
        min_size=1,
        max_size=4,
    )
)
def test_a_table_is_always_the_last_publish_of_each_night(
    tmp_path: Path, publishes: list[dict[Night, list[str]]]
) -> None:
    store = TableStore(tmp_path / str(len(list(tmp_path.iterdir()))))
    expected: dict[Night, list[str]] = {}
    for number, content in enumerate(publishes):
        expected |= content
        cells = [(night, key, float(number)) for night, keys in content.items() for key in keys]
        publish(store, rows(*cells), list(content))
    found = store.read("raw/orders", NIGHTS) if store.exists("raw/orders") else rows()
    assert list(zip(found["score_date"].to_pylist(), found["order_id"].to_pylist(), strict=True)) == [
        (night, key) for night in sorted(expected) for key in sorted(expected[night])
    ]


def test_an_earlier_version_is_read_as_it_was(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]], "first")
    version, before = store.version("raw/orders"), store.files("raw/orders")
    publish(store, rows((NIGHTS[0], "a", 2.0), (NIGHTS[1], "b", 3.0)), list(NIGHTS[:2]), "second")
    assert store.files("raw/orders", version=version) == before != store.files("raw/orders")
    assert {night: facts.inputs_hash for night, facts in store.published("raw/orders", version=version).items()} == {
        NIGHTS[0]: "first"
    }
    assert store.files("raw/orders", version=-1) == [] and store.published("raw/orders", version=-1) == {}


def test_an_earlier_version_is_read_with_its_own_rows_and_columns(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0), (NIGHTS[1], "b", 2.0)), list(NIGHTS[:2]))
    before = store.version("raw/orders")
    publish(store, rows((NIGHTS[0], "a", 9.0), (NIGHTS[2], "c", 3.0)), [NIGHTS[0], NIGHTS[2]])
    assert store.read("raw/orders", NIGHTS, version=before)["value"].to_pylist() == [1.0, 2.0]
    assert store.read("raw/orders", NIGHTS, ["value"], version=store.version("raw/orders")).equals(
        store.read("raw/orders", NIGHTS, ["value"])
    )
    assert store.schema("raw/orders", version=before) == SCHEMA


def test_files_of_an_earlier_version_that_are_gone_are_named_with_the_version(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]])
    before = store.version("raw/orders")
    (old,) = store.files("raw/orders")
    publish(store, rows((NIGHTS[0], "a", 9.0)), [NIGHTS[0]])
    old.unlink()
    assert store.read("raw/orders", [NIGHTS[0]])["value"].to_pylist() == [9.0]
    with pytest.raises(FileNotFoundError, match=f"1 of 1 files of version {before} are no longer there.*{old.name}"):
        store.read("raw/orders", [NIGHTS[0]], version=before)


def grown(*nights: Night) -> pa.Table:
    cells = [{"score_date": night, "order_id": "a", "value": 1.0, "note": "n", "cost": 2.5} for night in nights]
    return pa.Table.from_pylist(
        cells, schema=SCHEMA.append(pa.field("note", pa.string())).append(pa.field("cost", pa.float64()))
    )


def grow(store: TableStore, table: pa.Table, *nights: Night, may_grow: bool = True) -> None:
    notes = dict.fromkeys(nights, NightInputs("grown", {}))
    store.publish("raw/orders", table, notes, key=["order_id"], may_grow=may_grow)


def test_a_table_grows_at_its_end_and_older_nights_read_the_new_columns_as_null(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0), (NIGHTS[1], "a", 1.0)), list(NIGHTS[:2]))
    assert not store.has_grown("raw/orders")
    grow(store, grown(NIGHTS[1], NIGHTS[2]), NIGHTS[1], NIGHTS[2])
    assert store.has_grown("raw/orders")
    found = store.read("raw/orders", NIGHTS[:3])
    assert found.schema.names[-2:] == ["note", "cost"]
    assert found.select(["note", "cost"]).to_pylist() == [
        {"note": None, "cost": None},
        *[{"note": "n", "cost": 2.5}] * 2,
    ]
    # Only nights of before: no file has the column.
    assert store.read("raw/orders", NIGHTS[:1], ["cost"]).to_pylist() == [{"score_date": NIGHTS[0], "cost": None}]
    assert store.read("raw/orders", NIGHTS[:2], version=1).schema.names == SCHEMA.names
    grow(store, grown(NIGHTS[0]), NIGHTS[0])
    assert store.read("raw/orders", NIGHTS[:2])["cost"].to_pylist() == [2.5, 2.5]


def test_growing_is_asked_for_and_never_loses_a_column(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]])
    with pytest.raises(Exception, match="number of fields does not match"):
        grow(store, grown(NIGHTS[1]), NIGHTS[1], may_grow=False)
    grow(store, grown(NIGHTS[1]), NIGHTS[1])
    with pytest.raises(ValueError, match=r"\['cost', 'note'\] that the rows lack"):
        grow(store, rows((NIGHTS[2], "a", 1.0)), NIGHTS[2])
    assert store.version("raw/orders") == 2


def test_a_night_without_rows_can_be_the_one_that_grows(store: TableStore) -> None:
    publish(store, rows((NIGHTS[0], "a", 1.0)), [NIGHTS[0]])
    grow(store, grown(NIGHTS[1]).slice(0, 0), NIGHTS[1])
    assert store.published("raw/orders")[NIGHTS[1]].rows == 0
    assert store.read("raw/orders", NIGHTS[:2])["note"].to_pylist() == [None]

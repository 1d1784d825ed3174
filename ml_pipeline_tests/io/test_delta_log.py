import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa

from ml_pipeline.io.delta_log import commit_path, fingerprint, read_commit
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.nights import Night, nights_between

NIGHTS = nights_between(date(2024, 2, 28), date(2024, 3, 2))


def publish(store: TableStore, *rows: tuple[Night, float], nights: tuple[Night, ...]) -> None:
    table = pa.table({
        "score_date": pa.array([night for night, _ in rows], pa.date32()),
        "value": pa.array([value for _, value in rows], pa.float64()),
    })  # fmt: skip
    store.publish("raw/orders", table, {night: NightInputs("inputs", {"read": 1}) for night in nights}, key=["value"])


def test_a_commit_tells_what_came_what_went_and_what_was_noted(tmp_path: Path) -> None:
    store = TableStore(tmp_path)
    publish(store, (NIGHTS[0], 1.0), (NIGHTS[1], 2.0), nights=NIGHTS[:3])
    first = read_commit(store.path("raw/orders"), store.version("raw/orders"))
    publish(store, (NIGHTS[1], 3.0), nights=(NIGHTS[1],))
    second = read_commit(store.path("raw/orders"), store.version("raw/orders"))
    assert [night for night, _ in first.added] == [str(NIGHTS[0]), str(NIGHTS[1])] and first.removed == ()
    assert list(first.nights) == [str(night) for night in NIGHTS[:3]]  # the third has no row, and is noted all the same
    assert [night for night, _ in second.added] == [str(NIGHTS[1])]
    assert second.removed == tuple(file for file in first.added if file[0] == str(NIGHTS[1]))
    assert second.nights[str(NIGHTS[1])]["facts"] == {"read": 1}
    assert all((store.path("raw/orders") / path).exists() for _, path in (*first.added, *second.added))


def test_the_files_of_every_version_are_those_that_delta_names(tmp_path: Path) -> None:
    from deltalake import DeltaTable

    store = TableStore(tmp_path)
    for number, night in enumerate((*NIGHTS, NIGHTS[1], NIGHTS[0])):
        publish(store, (night, float(number)), nights=(night,))
    for version in range(store.version("raw/orders") + 1):
        named = DeltaTable(store.path("raw/orders"), version=version).file_uris()
        found = store.files("raw/orders", version=version)
        assert [str(path) for path in found] == sorted(uri.removeprefix("file://") for uri in named)


def test_a_commit_that_was_written_again_has_another_fingerprint(tmp_path: Path) -> None:
    store = TableStore(tmp_path / "one")
    publish(store, (NIGHTS[0], 1.0), nights=NIGHTS[:1])
    folder, version = store.path("raw/orders"), store.version("raw/orders")
    before = fingerprint(folder, version)
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    assert fingerprint(tmp_path / "copy" / "raw" / "orders", version) == before != ""
    commit_path(folder, version).write_text(commit_path(folder, version).read_text() + "\n")
    assert fingerprint(folder, version) != before
    assert fingerprint(folder, version + 1) == ""

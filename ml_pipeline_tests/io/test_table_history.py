from datetime import date

import pyarrow as pa
import pytest

from ml_pipeline.io.table_history import table_history, versions_in
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.nights import Night

FIRST, SECOND = date(2024, 3, 1), date(2024, 3, 2)


def rows(night: Night, value: int) -> pa.Table:
    return pa.table({"score_date": pa.array([night], pa.date32()), "key": ["a"], "value": [value]})


@pytest.fixture
def store(tmp_path: object) -> TableStore:
    """Two nights, the first of them published again in commit 2, made from versions 0 and 3 of ``labels``."""
    found = TableStore(tmp_path)  # type: ignore[arg-type]
    for night, value, version in ((FIRST, 1, 0), (SECOND, 1, 0), (FIRST, 2, 3)):
        found.publish("things", rows(night, value), {night: NightInputs(str(value), {"labels": version})}, key=["key"])
    return found


def test_each_file_is_of_the_versions_that_the_store_reads_it_for(store: TableStore) -> None:
    history = table_history(store.root, "things")
    newest = store.version("things")
    for version in range(newest + 1):
        held = {file.path for file in history.files if file.is_of(version)}
        assert held == set(store.files("things", version=version))
    replaced = [file for file in history.files if file.removed is not None]
    assert [(file.removed, file.removed_at is not None) for file in replaced] == [(newest, True)]
    assert history.made_from == {("labels", 0), ("labels", 3)}


def test_a_file_that_is_gone_is_no_longer_told(store: TableStore) -> None:
    gone = store.files("things", version=store.version("things") - 1)[0]
    gone.unlink()
    assert gone not in {file.path for file in table_history(store.root, "things").files}


def test_versions_are_found_wherever_an_entry_names_them() -> None:
    entry = {"table_versions": {"labels": 4}, "runs": [{"inputs": {"raw/orders": 2}}], "is_new": True, "share": 0.5}
    assert set(versions_in(entry)) == {("labels", 4), ("raw/orders", 2)}

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.io.duckdb_connections import file_reader, lock_down, utc_connection


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"value": [1]}), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def test_files_may_be_read_until_the_connection_is_locked(file: Path) -> None:
    with utc_connection() as connection:
        assert connection.execute(f"from '{file}'").fetchall() == [(1,)]
        lock_down(connection)
        for sql in (f"from '{file}'", f"copy (select 1) to '{file}.csv'", f"attach '{file}.db'", "install httpfs"):
            with pytest.raises(duckdb.Error):
                connection.execute(sql)
        for sql in ("set enable_external_access = true", "set threads = 8", "reset lock_configuration"):
            with pytest.raises(duckdb.Error):
                connection.execute(sql)
        assert connection.execute("select 1 + 1").fetchall() == [(2,)]


def test_instants_are_read_in_utc_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    with utc_connection() as connection:
        ((day,),) = connection.execute("select (timestamptz '2024-01-01 23:30:00+00')::date::varchar").fetchall()
    assert day == "2024-01-01"


def test_a_query_that_fans_out_ends_in_an_error_and_not_in_the_machine(file: Path) -> None:
    with utc_connection(threads=1) as connection:
        ((limit, threads),) = connection.execute(
            "select current_setting('memory_limit'), current_setting('threads')"
        ).fetchall()
    assert limit == "1.8 GiB" and threads == 1


def test_readers_share_a_database_and_nothing_that_they_make_for_themselves(file: Path) -> None:
    with file_reader() as one, file_reader() as other:
        assert one.execute(f"from '{file}'").fetchall() == [(1,)]
        one.execute("create temp table mine as select 1")
        with pytest.raises(duckdb.CatalogException):
            other.execute("from mine")
        assert other.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
    pq.write_table(pa.table({"value": [2]}), file)
    with file_reader() as later:
        assert later.execute(f"from '{file}'").fetchall() == [(2,)]

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.io.duckdb_connections import analyst_connection, file_reader, lock_down, utc_connection
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import ROOT


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
    with file_reader(file.parent) as one, file_reader(file.parent) as other:
        assert one.execute(f"from '{file}'").fetchall() == [(1,)]
        one.execute("create temp table mine as select 1")
        with pytest.raises(duckdb.CatalogException):
            other.execute("from mine")
        for sql in ("from '/etc/passwd'", "set TimeZone = 'Asia/Tokyo'", "set enable_external_access = true"):
            with pytest.raises(duckdb.Error):
                one.execute(sql)
        assert other.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
    pq.write_table(pa.table({"value": [2]}), file)
    with file_reader(file.parent) as later:
        assert later.execute(f"from '{file}'").fetchall() == [(2,)]


def test_a_connection_below_a_folder_opens_nothing_else_from_the_start(file: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside.parquet"
    pq.write_table(pa.table({"value": [2]}), outside)
    with utc_connection(below=tmp_path) as connection:
        assert connection.execute(f"from '{file}'").fetchall() == [(1,)]
        for sql in (
            f"from '{outside}'", f"from '{tmp_path}/../outside.parquet'", f"copy (select 1) to '{outside}.csv'",
            "from '/etc/passwd'", f"attach '{outside}.db'", "from read_text('/etc/hostname')", "load httpfs",
            "set allowed_directories = ['/']", "set enable_external_access = true", "from 'https://example.org/x.parquet'",
        ):  # fmt: skip
            with pytest.raises(duckdb.Error):
                connection.execute(sql)


def test_an_analyst_opens_what_the_catalog_shows_and_no_other_file(scored_shop: Site) -> None:
    with analyst_connection(scored_shop.data / "warehouse.duckdb") as connection:
        assert connection.execute("select count(*) from scores").fetchone() == (320,)
        for sql in (
            "from read_text('/etc/hostname')",
            "install httpfs",
            "create table mine as select 1",
            "set threads = 9",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(sql)


SAFE = ("false", "true", "false", "false", "UTC")
ASKED = """select current_setting('enable_external_access')::varchar, current_setting('lock_configuration')::varchar,
    current_setting('autoinstall_known_extensions')::varchar, current_setting('autoload_known_extensions')::varchar,
    current_setting('TimeZone')"""


def sources() -> dict[str, str]:
    files = (ROOT / "ml_pipeline").rglob("*.py")
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}


def test_connections_are_made_in_one_module_and_every_one_that_a_night_opens_ends_locked(
    landed_shop_copy: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers = [name for name, text in sources().items() if re.search(r"duckdb\.connect\(|from duckdb import", text)]
    assert makers == ["ml_pipeline/io/duckdb_connections.py"]
    seen: list[tuple[str, ...]] = []

    @contextmanager
    def watched(**options: object) -> Iterator[duckdb.DuckDBPyConnection]:
        with utc_connection(**options) as connection:  # type: ignore[arg-type]
            yield connection
            seen.append(connection.execute(ASKED).fetchone())  # type: ignore[arg-type]

    users = [name for name, text in sources().items() if "utc_connection" in text and name not in makers]
    assert users
    for name in users:
        monkeypatch.setattr(import_module(name.removesuffix(".py").replace("/", ".")), "utc_connection", watched)
    site = landed_shop_copy
    first = site.calendar.first_night
    build_features(site, nights_between(first, first))
    site.tables.read("raw/orders", [first])
    publish_catalog(site)
    print(f"connections: {len(seen)} / {sum(found != SAFE for found in seen)}")
    with file_reader(site.data) as reader:
        seen.append(reader.execute(ASKED).fetchone())  # type: ignore[arg-type]
    assert len(seen) >= 3
    assert set(seen) == {SAFE}

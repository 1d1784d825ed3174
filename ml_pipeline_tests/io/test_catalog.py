import os
import stat
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.io.catalog import Macro, View, files_select, json_select, quoted, write_catalog
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline_tests.processes import start_python

SCHEMA = pa.schema([("score_date", pa.date32()), ("order_id", pa.string()), ("value", pa.float64())])


def parquet(root: Path, value: float, night: str = "2024-05-05") -> Path:
    path = root / f"score_date={night}" / f"part-{value}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"order_id": ["A", "B"], "value": [value, value]}), path)
    return path


def publish(root: Path, *files: Path) -> bool:
    return write_catalog(root, [View("scores", files_select(files, SCHEMA), "What was scored.")])


def ask(root: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(root / "warehouse.duckdb"), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def test_a_view_shows_exactly_its_files_with_their_night(tmp_path: Path) -> None:
    shown, hidden = parquet(tmp_path, 1.0), parquet(tmp_path, 2.0)
    assert publish(tmp_path, shown)
    assert hidden.parent == shown.parent
    assert ask(tmp_path, "select score_date::varchar, order_id, value from scores order by order_id") == [
        ("2024-05-05", "A", 1.0), ("2024-05-05", "B", 1.0),
    ]  # fmt: skip
    assert ask(tmp_path, "select comment from duckdb_views() where view_name = 'scores'") == [("What was scored.",)]


def test_files_of_before_a_table_grew_show_the_new_column_as_null(tmp_path: Path) -> None:
    schema = SCHEMA.append(pa.field("note", pa.string()))
    old, new = parquet(tmp_path, 1.0), tmp_path / "score_date=2024-05-06" / "part.parquet"
    new.parent.mkdir()
    pq.write_table(pa.table({"order_id": ["C"], "value": [3.0], "note": ["n"]}), new)
    for files, expected in (([old], [None, None]), ([old, new], [None, None, "n"])):
        write_catalog(tmp_path, [View("scores", files_select(files, schema, has_grown=True), "What was scored.")])
        found = ask(tmp_path, "select * from scores order by order_id")
        assert [row[3] for row in found] == expected
        assert found[0][1:3] == ("A", 1.0)


def test_nothing_changed_is_not_rebuilt_and_a_lost_file_is(tmp_path: Path) -> None:
    file = parquet(tmp_path, 1.0)
    assert publish(tmp_path, file)
    before = {name: (tmp_path / name).stat().st_ino for name in ("warehouse.duckdb", "views.sql")}
    assert not publish(tmp_path, file)
    assert {name: (tmp_path / name).stat().st_ino for name in before} == before
    for name in before:
        (tmp_path / name).unlink()
        assert publish(tmp_path, file)
        assert (tmp_path / name).exists()
    assert publish(tmp_path, parquet(tmp_path, 2.0))


def test_the_door_is_read_only_and_leaves_nothing_aside(tmp_path: Path) -> None:
    publish(tmp_path, parquet(tmp_path, 1.0))
    for name in ("warehouse.duckdb", "views.sql"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o444
    assert {path.name for path in tmp_path.iterdir()} == {
        "warehouse.duckdb",
        "views.sql",
        "locks",
        "score_date=2024-05-05",
    }


def test_a_database_that_is_not_the_one_described_is_built_whole(tmp_path: Path) -> None:
    """Written to by somebody, or newer than the script because a publisher died between the two."""
    file, warehouse = parquet(tmp_path, 1.0), tmp_path / "warehouse.duckdb"
    publish(tmp_path, file)
    warehouse.chmod(0o644)
    with duckdb.connect(str(warehouse)) as somebody:
        somebody.execute("create or replace view scores as select 99.0 as value")
        somebody.execute("create view mine as select 1 as one")
    assert publish(tmp_path, file)
    assert ask(tmp_path, "select sum(value) from scores") == [(2.0,)]
    assert ask(tmp_path, "select count(*) from duckdb_views() where view_name = 'mine'") == [(0,)]
    (tmp_path / "views.sql").chmod(0o644)
    (tmp_path / "views.sql").write_text("select 1;\n")
    assert publish(tmp_path, file)


def test_a_view_that_reads_another_follows_it_to_other_columns(tmp_path: Path) -> None:
    for sql, found in (("select 1 as n", [(1,)]), ("select 2 as n", [(2,)]), ("select 'a' as n, 3 as m", [("a", 3)])):
        assert write_catalog(tmp_path, [View("base", sql, ""), View("above", "select * from base", "", {"n": "One."})])
        assert ask(tmp_path, "select * from above") == found
    assert write_catalog(tmp_path, [View("base", "select 4 as n", "")])
    assert ask(tmp_path, "select view_name from duckdb_views() where not internal") == [("base",)]


READER = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(connection.sql("select sum(value) from scores").fetchall()[0][0], flush=True)
    sys.stdin.readline()
    print(connection.sql("select sum(value) from scores").fetchall()[0][0], flush=True)
"""


def test_a_reader_keeps_the_catalog_that_it_opened_and_stops_nobody(tmp_path: Path) -> None:
    publish(tmp_path, parquet(tmp_path, 1.0))
    warehouse = str(tmp_path / "warehouse.duckdb")
    with start_python(READER, warehouse) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "2.0\n"
        assert publish(tmp_path, parquet(tmp_path, 5.0))
        assert ask(tmp_path, "select sum(value) from scores") == [(10.0,)]
        assert reader.communicate("go on\n", timeout=30)[0] == "2.0\n"


def test_a_log_left_by_somebody_who_opened_the_file_for_writing_is_removed(tmp_path: Path) -> None:
    publish(tmp_path, parquet(tmp_path, 1.0))
    (tmp_path / "warehouse.duckdb").chmod(0o644)
    code = """
import os, sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("create table mine as select 1 as one")
os._exit(0)
"""
    with start_python(code, str(tmp_path / "warehouse.duckdb")) as analyst:
        analyst.communicate(timeout=30)
    assert (tmp_path / "warehouse.duckdb.wal").exists()
    assert publish(tmp_path, parquet(tmp_path, 2.0))
    assert not (tmp_path / "warehouse.duckdb.wal").exists()
    assert ask(tmp_path, "select sum(value) from scores") == [(4.0,)]


def test_what_a_killed_publisher_left_does_not_disturb_the_next(tmp_path: Path) -> None:
    (tmp_path / f".warehouse.duckdb.{os.getpid()}.aside").write_bytes(b"half a database")
    publish(tmp_path, parquet(tmp_path, 1.0))
    assert ask(tmp_path, "select count(*) from scores") == [(2,)]


def test_the_script_gives_an_open_session_the_same_views(tmp_path: Path) -> None:
    write_catalog(tmp_path, [
        View("scores", files_select([parquet(tmp_path, 1.0)], SCHEMA), "Scores."),
        View("totals", "select sum(value) as total from scores", "Totals; reads the view before it."),
    ])  # fmt: skip
    session = duckdb.connect()
    session.execute((tmp_path / "views.sql").read_text())
    assert session.sql("select total from totals").fetchall() == ask(tmp_path, "select total from totals") == [(2.0,)]


@pytest.mark.parametrize("name", ["it's", 'a "b"', "drop table; --", "ünï", "a [1]", "a*b", "a {b,c}", "100%20"])
def test_a_path_is_only_a_path_whatever_its_letters(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    publish(root, parquet(root, 1.0))
    assert ask(root, "select sum(value) from scores") == [(2.0,)]


def test_a_macro_and_the_meaning_of_columns_come_with_both_doors(tmp_path: Path) -> None:
    entries = [
        View("scores", files_select([parquet(tmp_path, 1.0), parquet(tmp_path, 2.0, "2024-05-06")], SCHEMA), "Scores.",
             {"value": "What it's worth."}),
        Macro("scores_on", ("night",), "select * from scores where score_date = night::date", "One night's."),
    ]  # fmt: skip
    write_catalog(tmp_path, entries)
    asked = "select value from scores_on('2024-05-06')"
    session = duckdb.connect()
    session.execute((tmp_path / "views.sql").read_text())
    assert ask(tmp_path, asked) == [(2.0,), (2.0,)] == session.sql(asked).fetchall()
    told = "select comment from duckdb_columns() where table_name = 'scores' and column_name = 'value'"
    assert ask(tmp_path, told) == [("What it's worth.",)] == session.sql(told).fetchall()
    assert ask(tmp_path, "select comment from duckdb_functions() where function_name = 'scores_on'") == [
        ("One night's.",)
    ]


def test_what_only_a_comment_says_is_published_too(tmp_path: Path) -> None:
    assert write_catalog(tmp_path, [View("one", "select 1 as n", "One.", {"n": "A number."})])
    assert write_catalog(tmp_path, [View("one", "select 1 as n", "One.", {"n": "The number."})])
    assert ask(tmp_path, "select comment from duckdb_columns() where column_name = 'n'") == [("The number.",)]


def test_a_column_that_a_view_does_not_have_cannot_be_described_and_the_old_catalog_stays(tmp_path: Path) -> None:
    publish(tmp_path, parquet(tmp_path, 1.0))
    with pytest.raises(duckdb.Error, match="the catalog's one cannot be made.*typo"):
        write_catalog(tmp_path, [View("one", "select 1 as n", "One.", {"typo": "A number."})])
    assert ask(tmp_path, "select count(*) from scores") == [(2,)]


@pytest.mark.parametrize("comment", ["it's", "'; drop view scores; --", 'say "yes"'])
def test_a_comment_is_only_a_comment(tmp_path: Path, comment: str) -> None:
    write_catalog(tmp_path, [View("scores", "select 1 as one", comment)])
    assert ask(tmp_path, "select comment from duckdb_views() where view_name = 'scores'") == [(comment,)]
    assert quoted("it's") == "'it''s'"


@pytest.mark.parametrize("name", ["order", "group"])
def test_a_view_may_be_called_like_a_word_of_sql(tmp_path: Path, name: str) -> None:
    """sources.yml allows such names: a shop has orders, and one source may well be ``order``."""
    write_catalog(tmp_path, [View(name, "select 1 as one", "One.")])
    assert ask(tmp_path, f'select one from "{name}"') == [(1,)]


def test_tables_without_files_have_their_columns_and_no_rows(tmp_path: Path) -> None:
    schema = pa.schema([
        ("score_date", pa.date32()), ("n", pa.int64()), ("x", pa.float64()), ("t", pa.string()), ("b", pa.bool_()),
        ("at", pa.timestamp("us", tz="UTC")),
    ])  # fmt: skip
    publish_views = [
        View("empty", files_select([], schema), ""),
        View("none", json_select([], {"number": "bigint"}), ""),
    ]
    write_catalog(tmp_path, publish_views)
    kinds = ask(tmp_path, "select column_name, column_type from (describe empty)")
    assert kinds == [
        ("score_date", "DATE"), ("n", "BIGINT"), ("x", "DOUBLE"), ("t", "VARCHAR"), ("b", "BOOLEAN"),
        ("at", "TIMESTAMP WITH TIME ZONE"),
    ]  # fmt: skip
    assert ask(tmp_path, "select count(*) from empty") == ask(tmp_path, "select count(*) from none") == [(0,)]


def test_a_ledger_can_be_asked_like_a_table(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "promotions")
    for title in ("it's", "second"):
        ledger.append({"title": title, "reasons": ["a", "b"]})
    columns = {"number": "bigint", "title": "varchar", "reasons": "varchar[]", "absent": "varchar"}
    write_catalog(tmp_path, [View("promotions", json_select(ledger.paths(), columns), "")])
    assert ask(tmp_path, "select number, title, len(reasons), absent from promotions order by number") == [
        (1, "it's", 2, None), (2, "second", 2, None),
    ]  # fmt: skip

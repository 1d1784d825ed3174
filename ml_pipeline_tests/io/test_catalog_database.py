from pathlib import Path

import duckdb
import pytest

from ml_pipeline.io.catalog_database import CatalogEntry, build_database, identifier, quoted, renew_database

NUMBERS = "select 1 as n"


def view(name: str, sql: str, **columns: str) -> CatalogEntry:
    comments = tuple(f"comment on column {name}.{column} is {quoted(text)}" for column, text in columns.items())
    return CatalogEntry(name, f"view {identifier(name)} as {sql}", comments, is_view=True)


def macro(name: str, sql: str) -> CatalogEntry:
    return CatalogEntry(name, f"macro {identifier(name)}() as table {sql}", (), is_view=False)


def everything(path: Path) -> list[tuple[object, ...]]:
    """Each entry with its text, its columns, their types and comments."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.sql("""
            select view_name, sql from duckdb_views() where not internal
            union all
            select table_name || '.' || column_name, data_type || coalesce(comment, '') from duckdb_columns() where not internal
            union all
            select function_name, macro_definition from duckdb_functions() where not internal
            order by all
        """).fetchall()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.duckdb"
    build_database(path, [view("numbers", NUMBERS, n="A number."), view("sums", "select sum(n) as total from numbers"),
                          macro("all_numbers", "select * from numbers")])  # fmt: skip
    return path


def test_what_is_renewed_is_what_would_have_been_built(old: Path, tmp_path: Path) -> None:
    new = [view("numbers", "select 2 as n", n="The number."), macro("all_numbers", "select n + 1 as n from numbers")]
    assert renew_database(tmp_path / "new.duckdb", old, new)
    build_database(tmp_path / "built.duckdb", [new[0], view("sums", "select sum(n) as total from numbers"), new[1]])
    assert everything(tmp_path / "new.duckdb") == everything(tmp_path / "built.duckdb") != everything(old)
    with duckdb.connect(str(tmp_path / "new.duckdb"), read_only=True) as connection:
        assert connection.sql("select total from sums").fetchall() == [(2,)]


@pytest.mark.parametrize(
    "sql", ["select 'a' as n", "select 1 as m", "select 1 as n, 2 as m", "select nothing as n", "select from from"]
)
def test_other_columns_or_a_refusal_ask_for_a_whole_build(old: Path, tmp_path: Path, sql: str) -> None:
    assert not renew_database(tmp_path / "new.duckdb", old, [view("numbers", sql)])


def test_a_file_that_is_no_database_asks_for_a_whole_build(tmp_path: Path) -> None:
    (tmp_path / "old.duckdb").write_bytes(b"half a database")
    assert not renew_database(tmp_path / "new.duckdb", tmp_path / "old.duckdb", [view("numbers", NUMBERS)])


def test_the_old_database_is_left_as_it_is_and_a_hundred_renewals_do_not_grow_it(old: Path, tmp_path: Path) -> None:
    before = old.read_bytes()
    one, other, sizes = old, tmp_path / "other.duckdb", []
    for number in range(100):
        assert renew_database(other, one, [view("numbers", f"select {number} as n", n=f"{number} " + "." * 10_000)])
        one, other = other, tmp_path / f"{number % 2}.duckdb"
        sizes.append(one.stat().st_size)
    assert old.read_bytes() == before
    assert max(sizes[50:]) <= max(sizes[:50])


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error, match=r"the catalog's numbers cannot be made.*already exists"):
        build_database(tmp_path / "new.duckdb", [view("numbers", NUMBERS), view("numbers", NUMBERS)])


def test_quotation_marks_are_doubled() -> None:
    assert (quoted("it's"), identifier('a "b"')) == ("'it''s'", '"a ""b"""')

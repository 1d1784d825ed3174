import hashlib
import stat
from pathlib import Path

import pytest

from ml_pipeline.io.files import replace_durably, sha256_of, sync_file, sync_folder, write_durably


def test_a_file_is_written_with_its_mode_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "views.sql"
    write_durably(path, b"select 1", mode=0o444)
    assert path.read_bytes() == b"select 1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_of_the_old_file_keeps_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "views.sql"
    write_durably(path, b"old", mode=0o444)
    with path.open("rb") as reader:
        write_durably(path, b"new and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "views.sql"
    write_durably(path, b"old")
    with pytest.raises(TypeError):
        write_durably(path, "text, not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"


def test_a_file_built_aside_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path, aside = tmp_path / "warehouse.duckdb", tmp_path / "aside"
    path.write_bytes(b"old")
    aside.write_bytes(b"new")
    sync_file(aside)
    replace_durably(aside, path)
    sync_folder(tmp_path)
    assert (path.read_bytes(), aside.exists()) == (b"new", False)


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 100_000)
    assert sha256_of(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()

import os
from pathlib import Path

from ml_pipeline.io.leftovers import leftovers, remove
from ml_pipeline_tests.processes import run_python


def dead_process() -> int:
    return int(run_python("import os; print(os.getpid())"))


def test_only_what_a_dead_process_wrote_aside_is_found(tmp_path: Path) -> None:
    dead, living = dead_process(), os.getpid()
    left = [
        tmp_path / f".warehouse.duckdb.{dead}.aside", tmp_path / f".warehouse.duckdb.{dead}.aside.wal",
        tmp_path / "models" / f".2024-05-05-0123456789.{dead}.aside" / "model.txt",
        tmp_path / "ledgers" / "promotions" / f".000001.{dead}.aside", tmp_path / "verified" / f".m.json.{dead}.aside",
    ]  # fmt: skip
    kept = [
        tmp_path / f".views.sql.{living}.aside", tmp_path / "views.sql", tmp_path / "ledgers" / "promotions" / "000001.json",
        tmp_path / "models" / "2024-05-05-0123456789" / f".x.{dead}.aside", tmp_path / f"views.{dead}.aside",
        tmp_path / ".aside.x.aside",
    ]  # fmt: skip
    for path in (*left, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half")
    expected = {path if path.parent.suffix != ".aside" else path.parent for path in left}
    assert set(leftovers(tmp_path)) == expected
    for path in leftovers(tmp_path):
        remove(path)
        remove(path)
    assert leftovers(tmp_path) == []
    assert [path.read_text() for path in kept] == ["half"] * len(kept)

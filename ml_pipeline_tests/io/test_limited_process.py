from pathlib import Path

import pytest

from ml_pipeline.io.limited_process import Ending, run_module
from ml_pipeline_tests.processes import start_python

LIMITED = """
from ml_pipeline.io.limited_process import limit_this_process
limit_this_process(memory_bytes=2**29, cpu_seconds=2)
"""


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("bytearray(2**30)", "MemoryError"), ("while True: pass", ""), ("print('ends')", None),
        ("import os, sys; os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), b'x')", "File too large"),
    ],
)  # fmt: skip
def test_a_process_that_takes_more_than_its_limits_fails(tmp_path: Path, code: str, word: str | None) -> None:
    process = start_python(LIMITED + code, str(tmp_path / "written"))
    out, error = process.communicate(timeout=60)
    assert (process.returncode == 0) == (word is None)
    assert word is None or word in error
    assert out == ("ends\n" if word is None else "")


def test_a_module_is_run_and_its_ending_is_told() -> None:
    done = run_module("platform", [], seconds=60)
    assert (done.code, done.out.startswith("Linux"), done.error) == (0, True, "")
    missing = run_module("ml_pipeline.no_such_module", [], seconds=60)
    assert missing.code == 1
    assert "No module named ml_pipeline.no_such_module" in missing.in_words


def test_a_module_that_does_not_end_is_stopped() -> None:
    assert run_module("http.server", ["0", "--bind", "127.0.0.1"], seconds=1).in_words == "did not end in time"


def test_a_crash_names_its_signal() -> None:
    assert Ending(-11, "", "first\nlast\n").in_words == "was killed by signal 11 (last)"

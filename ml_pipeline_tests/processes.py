"""Real processes for tests: spawned, never forked, because Delta's runtime must not be forked."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start_python(code: str, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start ``code`` in a fresh interpreter at the root of the repository, with pipes to it."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=os.environ | (environment or {}), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run_python(code: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """What ``code`` prints; it must succeed."""
    process = start_python(code, *arguments, environment=environment)
    out, error = process.communicate(timeout=180)
    assert process.returncode == 0, error
    return out.strip()


def release(processes: Sequence[subprocess.Popen[str]]) -> None:
    """Let processes that have said "ready" go on at the same moment: each waits for a line."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

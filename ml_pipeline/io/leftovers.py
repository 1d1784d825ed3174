"""What writers that died left behind: files and folders written aside, never renamed into place."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

# .<name>.<process id>.aside, and the log that DuckDB keeps beside a database that is being built.
_ASIDE = re.compile(r"\..+\.(\d+)\.aside(\.wal)?")
# Tables hold thousands of folders, and nothing in them is written aside.
_PLACES = ("", "models", "ledgers", "verified", "reports", "locks")


def leftovers(root: Path) -> list[Path]:
    """Everything below ``root`` that a process wrote aside which lives no more."""
    return [path for path, writer in _asides(root) if not _lives(writer)]


def remove(path: Path) -> None:
    """Remove a leftover, file or folder; one that is gone already is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _asides(root: Path) -> Iterator[tuple[Path, int]]:
    for place in _PLACES:
        found = (root / place).glob(".*.aside*") if place in {"", "models"} else (root / place).rglob(".*.aside*")
        for path in sorted(found):
            if told := _ASIDE.fullmatch(path.name):
                yield path, int(told[1])


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True

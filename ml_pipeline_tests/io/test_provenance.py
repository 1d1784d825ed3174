import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from ml_pipeline.io.provenance import provenance


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    told = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return told.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in a checkout of its own, committed, with a lock file beside it."""
    folder = tmp_path / "checkout" / "ml_pipeline"
    folder.mkdir(parents=True)
    (folder / "nights.py").write_text("NIGHTS = 1\n")
    (folder.parent / "requirements.lock").write_text("numpy==2.0\n")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", "-A")
    git(folder.parent, "commit", "-q", "-m", "first")
    return folder


def test_a_clean_checkout_is_its_commit(package: Path) -> None:
    found = provenance(2, package=package)
    assert (found.git_commit, found.is_dirty) == (git(package, "rev-parse", "HEAD"), False)
    assert found.lock_file_sha256 == hashlib.sha256(b"numpy==2.0\n").hexdigest()
    assert (found.threads, found.cpu_count >= 1, found.python.startswith("CPython 3.11")) == (2, True, True)


@pytest.mark.parametrize("name", ["nights.py", "new.py"])
def test_a_changed_or_a_new_file_makes_it_dirty(package: Path, name: str) -> None:
    (package / name).write_text("NIGHTS = 2\n")
    assert provenance(2, package=package).is_dirty is True


def test_looking_writes_nothing(package: Path) -> None:
    index = package.parent / ".git" / "index"
    os.utime(package / "nights.py", (1, 1))
    before = index.read_bytes()
    assert provenance(2, package=package).is_dirty is False
    assert index.read_bytes() == before


def test_an_installed_package_inside_of_another_checkout_has_no_commit(package: Path) -> None:
    (package.parent / ".gitignore").write_text(".venv\n")
    installed = package.parent / ".venv" / "ml_pipeline"
    installed.mkdir(parents=True)
    (installed / "nights.py").write_text("NIGHTS = 1\n")
    found = provenance(2, package=installed)
    assert (found.git_commit, found.is_dirty, found.lock_file_sha256) == (None, None, None)


def test_without_a_checkout_or_without_git_there_is_no_commit(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert provenance(1, package=elsewhere).git_commit is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance(1, package=package).git_commit is None

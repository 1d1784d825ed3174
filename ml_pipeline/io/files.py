"""Writing a file so that a reader, or a power cut, meets the old one or the new one, never a half."""

import hashlib
import os
from pathlib import Path


def write_durably(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write ``content`` aside, fsync it, rename it over ``path``, fsync the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    with aside.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    aside.chmod(mode)
    replace_durably(aside, path)


def replace_durably(aside: Path, path: Path) -> None:
    """Rename ``aside`` (already fsynced) over ``path`` and make the rename itself durable."""
    aside.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Flush the content of ``path`` to disk."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the directory entries of ``folder`` to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Hex sha256 of the content of ``path``."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()

"""What a bundle's folder may hold: judged by names, kinds and sizes, before a byte of it is parsed."""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

MANIFEST = "manifest.json"
# Far above any bundle that a training writes, far below what makes a reader run out of memory.
LARGEST_MANIFEST = 4 * 2**20
LARGEST_FILE = 256 * 2**20
MOST_FILES = 2000

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*(/[A-Za-z0-9_][A-Za-z0-9_.\-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BundleError(ValueError):
    """A bundle is missing or is not what its manifest says; nothing of it was used."""


def parse_json(content: bytes, told: str) -> Any:
    """Parse JSON as the pipeline writes it; ``told`` begins the message.

    Raises:
        BundleError: it is no JSON, says something twice, nests too deep, or holds NaN or infinity.
    """
    try:
        return json.loads(content, object_pairs_hook=_said_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{told} cannot be read ({error}); restore it or retrain") from error


def hashes_in(manifest: Any, told: str) -> dict[str, str]:
    """The sha256 of each file by its name, as a parsed manifest lists them.

    Raises:
        BundleError: it lists none, too many, a name that may leave the folder, or a hash that is none.
    """
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not 0 < len(files) <= MOST_FILES:
        raise BundleError(f"{told} must list 1 to {MOST_FILES:,} files under `files`; restore it or retrain")
    for name, wanted in files.items():
        require_inside(name, told)
        if not isinstance(wanted, str) or not _SHA256.fullmatch(wanted):
            raise BundleError(f"{told} has no sha256 for {name}; restore it or retrain")
    return dict(files)


def require_inside(name: str, told: str) -> None:
    """Raise BundleError unless ``name`` is a plain relative path of a file below the bundle's folder."""
    if len(name) > 200 or not _NAME.fullmatch(name) or name == MANIFEST:
        raise BundleError(f"{told} names {name!r}, which is no plain path inside of a bundle; do not use this bundle")


def require_exactly(folder: Path, names: Mapping[str, str], told: str) -> None:
    """Raise BundleError unless ``folder`` holds the manifest and the files ``names``, and nothing else.

    Folders that hold none of them, links, pipes and devices are refused, and so is a file that is too large to read.
    """
    found = dict(_entries(folder, told))
    expected = {*names, MANIFEST}
    expected |= {str(parent) for name in names for parent in PurePosixPath(name).parents if parent.name}
    if set(found) != expected:
        missing, added = sorted(expected - set(found)), sorted(set(found) - expected)
        raise BundleError(f"{told}: files missing {missing}, added {added}; restore it or retrain")
    for name, status in found.items():
        wanted = stat.S_ISREG if name in names or name == MANIFEST else stat.S_ISDIR
        if not wanted(status.st_mode):
            raise BundleError(f"{told}: {name} is a link or no regular file; do not use this bundle")
        if wanted is stat.S_ISREG and status.st_size > LARGEST_FILE:
            raise BundleError(f"{told}: {name} has {status.st_size:,} bytes, at most {LARGEST_FILE:,} are read")


def read_manifest_bytes(path: Path, told: str) -> bytes:
    """Content of the manifest ``path``; raises BundleError if it is a link or too large."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_MANIFEST:
        raise BundleError(f"{told} is no regular file of at most {LARGEST_MANIFEST:,} bytes; do not use this bundle")
    return path.read_bytes()


def _entries(folder: Path, told: str, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Every file and folder below ``folder`` by its relative name; no link is followed."""
    count = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            count += 1
            if count > 2 * MOST_FILES or below.count("/") > 10:
                raise BundleError(
                    f"{told}: there are too many files, or folders within folders; do not use this bundle"
                )
            yield f"{below}{entry.name}", entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), told, f"{below}{entry.name}/")


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")

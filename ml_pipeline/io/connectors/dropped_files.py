"""Which files lie in the drop folder, for which night each is, and whether one of them was delivered twice."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ml_pipeline.contracts.source import NIGHT_IN_NAME, SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError, shown
from ml_pipeline.io.file_gate import read_hash_list
from ml_pipeline.io.files import sha256_of
from ml_pipeline.nights import Night, parse_night

_MOST_BYTES_OF_A_HEADER = 1 << 16


@dataclass(frozen=True)
class DroppedFile:
    """A file by its path below the drop folder; ``night`` is the one that its name says, None if names say none."""

    path: Path
    name: str
    night: Night | None


def as_dropped(path: Path, root: Path, source: SourceContract) -> DroppedFile:
    """Read the night out of the name of ``path``.

    Raises:
        DeliveryError: the name is not made as the contract says, or names no night.
    """
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    if not source.is_nightly:
        return DroppedFile(path, name, None)
    before, after = (
        re.escape(part).replace(r"\*", "[^/]*") for part in str(source.files).split(NIGHT_IN_NAME, maxsplit=1)
    )
    found = re.fullmatch(f"{before}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){after}", name)
    if found is None:
        raise DeliveryError(
            f"{shown(path)}: its name is not made like {source.files} with a night written YYYY-MM-DD; rename it"
        )
    try:
        return DroppedFile(path, name, parse_night(found[1]))
    except ValueError as error:
        raise DeliveryError(f"{shown(path)}: {found[1]} is no day of the calendar; rename it") from error


def require_each_once(files: Sequence[DroppedFile], source: SourceContract) -> None:
    """Raise DeliveryError if two files hold the same bytes: a file delivered twice, or under another night's name.

    Only files of the same size are hashed for it. Nights may be alike where nothing happened: header-only files of
    different nights are no copies.
    """
    by_size: dict[int, list[DroppedFile]] = defaultdict(list)
    for file in files:
        if file.path.is_file() and not file.path.is_symlink():
            by_size[file.path.stat().st_size].append(file)
    for alike in by_size.values():
        digests = {file: sha256_of(file.path) for file in alike} if len(alike) > 1 else {}
        for first, second in combinations(alike, 2):
            if digests[first] == digests[second] and not _holds_no_rows(first.path):
                of_night = f" of night {first.night}" if first.night else ""
                raise DeliveryError(
                    f"source {source.name}: {shown(second.name)} has the sha256 of {shown(first.name)}{of_night} "
                    f"({digests[first][:12]}...); it was delivered twice: remove one, or deliver the night's own rows"
                )


def _holds_no_rows(path: Path) -> bool:
    if path.stat().st_size > _MOST_BYTES_OF_A_HEADER:
        return False
    if path.suffix == ".csv":
        return path.read_bytes().strip().count(b"\n") == 0
    try:
        return bool(pq.read_metadata(path).num_rows == 0)
    except (pa.ArrowException, OSError):
        return False  # damaged: the gate says so when it opens it


def require_one_a_night(
    by_night: Mapping[Night, Sequence[DroppedFile]], wanted: Sequence[Night], source: SourceContract
) -> None:
    """Raise DeliveryError if a night has several files and no list of hashes says that they belong together."""
    for night in wanted:
        files = by_night.get(night, ())
        listed = [file for file in files if file.path.name in (read_hash_list(file.path.parent) or {})]
        if len(files) > 1 and len(listed) < len(files):
            names = [shown(file.name) for file in files]
            raise DeliveryError(
                f"source {source.name}, night {night}: {names} are all files of it; keep one, or list them all in SHA256SUMS"
            )

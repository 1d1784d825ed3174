"""Remembers what a night was last built from, where building it again changed nothing.

Identical content makes no commit, so the log goes on naming the old inputs, and without this memory the night would
be built again on every run. It is a cache: an entry counts only while the log still holds the content that it names,
and where it is lost, work is repeated and nothing is wrong.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml_pipeline.io.files import write_durably
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.nights import Night


@dataclass(frozen=True)
class BuiltFrom:
    """One JSON file a table below ``folder``: night -> its content hash, and the inputs hash that also gives it."""

    folder: Path

    def inputs_hashes(self, table: str) -> dict[tuple[Night, str], str]:
        """The newest known inputs hash of (night, content hash)."""
        return {
            (Night.fromisoformat(night), entry["content_hash"]): entry["inputs_hash"]
            for night, entry in self._entries(table).items()
        }

    def remember(self, table: str, inputs_hashes: Mapping[tuple[Night, str], str]) -> None:
        """Note that the content of these nights also comes from these inputs."""
        if not inputs_hashes:
            return
        # Under a lock, because two runs of one table would otherwise write over each other's nights.
        with exclusive_lock(self._file(table).with_suffix(".lock")):
            entries = self._entries(table) | {
                str(night): {"content_hash": content_hash, "inputs_hash": inputs_hash}
                for (night, content_hash), inputs_hash in inputs_hashes.items()
            }
            write_durably(self._file(table), json.dumps(entries, sort_keys=True).encode())

    def _entries(self, table: str) -> dict[str, dict[str, str]]:
        try:
            return dict(json.loads(self._file(table).read_bytes()))
        except (FileNotFoundError, ValueError):
            return {}

    def _file(self, table: str) -> Path:
        return self.folder / f"{table}.json"

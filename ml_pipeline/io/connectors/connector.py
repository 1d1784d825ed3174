"""The one way in: what a connector of sources does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.nights import KnownWindow

_LONGEST_SHOWN = 200


class Connector(Protocol):
    """Reads sources by the instant at which their rows became known."""

    def fingerprint(self, source: SourceContract) -> str:
        """A hash of everything that ``read`` could return; equal fingerprints mean equal rows."""

    def read(self, source: SourceContract, window: KnownWindow) -> pa.Table:
        """Rows with ``window.after < known_at <= window.until``, in the contract's Arrow types, in any order.

        Two more columns may follow. ``_fault`` (text) says what is wrong with a row of which a cell could not be kept;
        ``_delivered_for`` (date) is the night whose delivery held the row: such rows come for the nights whose cutoff
        lies in the window, whatever their ``known_at``.

        Raises:
            DeliveryError: a delivery cannot be read; the message names the file and the remedy.
        """


class DeliveryError(ValueError):
    """A delivery of a source cannot be read as its contract says."""


class DeliveryUnsettledError(RuntimeError):
    """A delivery may not be whole yet: another try may meet it whole."""


@dataclass(frozen=True)
class HeldFile:
    """A file that is read only if a person says so: its sha256, and why."""

    name: str
    sha256: str
    reasons: tuple[str, ...]


class DeliveryHeldError(DeliveryError):
    """Files that wait for a person's yes."""

    def __init__(self, files: tuple[HeldFile, ...]) -> None:
        super().__init__("; ".join(f"{file.name}: {', '.join(file.reasons)}" for file in files))
        self.files = files


def shown(text: str | Path) -> str:
    """``text`` from a delivery as it may stand in a message: no control characters, no length that floods a log."""
    plain = str(text).encode("unicode_escape", errors="backslashreplace").decode("ascii")
    if len(plain) <= _LONGEST_SHOWN:
        return plain
    return f"...{plain[-_LONGEST_SHOWN:]}" if isinstance(text, Path) else f"{plain[:_LONGEST_SHOWN]}..."

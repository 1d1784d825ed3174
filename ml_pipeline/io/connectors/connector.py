"""The one way in: what a connector of sources does."""

from typing import Protocol

import pyarrow as pa

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.nights import KnownWindow


class Connector(Protocol):
    """Reads sources by the instant at which their rows became known."""

    def fingerprint(self, source: SourceContract) -> str:
        """A hash of everything that ``read`` could return; equal fingerprints mean equal rows."""

    def read(self, source: SourceContract, window: KnownWindow) -> pa.Table:
        """Rows with ``window.after < known_at <= window.until``, in the contract's Arrow types, in any order.

        Raises:
            DeliveryError: a delivery cannot be read; the message names the file and the remedy.
        """


class DeliveryError(ValueError):
    """A delivery of a source cannot be read as its contract says."""

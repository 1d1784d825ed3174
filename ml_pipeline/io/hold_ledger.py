"""The ledger of deliveries that were held, and of those that a person has accepted."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ml_pipeline.io.ledgers import Ledger

HOLDS = "holds"
_ID_LENGTH = 12


@dataclass(frozen=True)
class Hold:
    """A delivery that waits for a person's yes.

    Attributes:
        source: of which source.
        what: the night that would hold its rows, or the file.
        delivery: hash of the delivered rows of the night, or of the file; a yes is for it and for nothing else.
        reasons: why.
    """

    source: str
    what: str
    delivery: str
    reasons: tuple[str, ...]

    @property
    def id(self) -> str:
        """Names the hold on the command line: other rows, or another reason, are another hold."""
        parts = [self.source, self.what, self.delivery, *sorted(self.reasons)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_ID_LENGTH]


@dataclass(frozen=True)
class HoldLedger:
    """Holds by id, in the order in which they came up."""

    ledger: Ledger

    def holds(self) -> dict[str, Hold]:
        """Every hold that there ever was."""
        return {entry["id"]: _hold(entry) for entry in self.ledger.entries() if entry["event"] == "held"}

    def accepted(self) -> dict[str, str]:
        """The reason of each hold that was accepted, by id."""
        return {entry["id"]: entry["reason"] for entry in self.ledger.entries() if entry["event"] == "accepted"}

    def accepted_deliveries(self) -> frozenset[str]:
        """The hashes of what was accepted."""
        holds = self.holds()
        return frozenset(holds[id_].delivery for id_ in self.accepted())

    def record(self, holds: Sequence[Hold]) -> None:
        """Enter those of ``holds`` that were not entered before."""
        known = self.holds()
        for hold in holds:
            if hold.id not in known:
                self.ledger.append({
                    "event": "held", "id": hold.id, "source": hold.source, "what": hold.what, "delivery": hold.delivery,
                    "reasons": list(hold.reasons),
                })  # fmt: skip

    def accept(self, id_: str, reason: str) -> Hold:
        """Enter a person's yes.

        Raises:
            LookupError: nothing of that id is held. ValueError: there is no reason, or it was accepted before.
        """
        holds, accepted = self.holds(), self.accepted()
        if not reason.strip():
            raise ValueError("an acceptance needs a reason; say why the delivery is right")
        if id_ not in holds:
            raise LookupError(f"no delivery is held under {id_!r}; ml-pipeline hold list shows those that are")
        if id_ in accepted:
            raise ValueError(f"{id_} was accepted before: {accepted[id_]}")
        self.ledger.append({"event": "accepted", "id": id_, "reason": reason.strip()})
        return holds[id_]


def _hold(entry: dict[str, Any]) -> Hold:
    return Hold(entry["source"], entry["what"], entry["delivery"], tuple(entry["reasons"]))

from pathlib import Path

import pytest

from ml_pipeline.io.hold_ledger import Hold, HoldLedger
from ml_pipeline.io.ledgers import Ledger

HELD = Hold("orders", "2024-03-31", "a" * 64, ("volume: 600 rows", "scale: 100 times"))


def test_a_hold_is_entered_once_and_accepted_once_with_a_reason(tmp_path: Path) -> None:
    ledger = HoldLedger(Ledger(tmp_path / "holds"))
    ledger.record([HELD])
    ledger.record([HELD])
    assert ledger.holds() == {HELD.id: HELD}
    assert ledger.accepted_deliveries() == frozenset()
    for id_, reason, message in ((HELD.id, " ", "needs a reason"), ("0" * 12, "yes", "no delivery is held")):
        with pytest.raises((ValueError, LookupError), match=message):
            ledger.accept(id_, reason)
    assert ledger.accept(HELD.id, " a fair ") == HELD
    with pytest.raises(ValueError, match="accepted before: a fair"):
        ledger.accept(HELD.id, "again")
    assert (ledger.accepted(), ledger.accepted_deliveries()) == ({HELD.id: "a fair"}, frozenset({"a" * 64}))
    assert len(ledger.ledger.entries()) == 2


def test_other_rows_another_night_or_another_reason_are_another_hold() -> None:
    others = [
        Hold("returns", "2024-03-31", "a" * 64, HELD.reasons), Hold("orders", "2024-04-01", "a" * 64, HELD.reasons),
        Hold("orders", "2024-03-31", "b" * 64, HELD.reasons), Hold("orders", "2024-03-31", "a" * 64, HELD.reasons[:1]),
    ]  # fmt: skip
    assert len({HELD.id, *(other.id for other in others)}) == 5
    assert Hold("orders", "2024-03-31", "a" * 64, HELD.reasons[::-1]).id == HELD.id

import logging
from pathlib import Path

import pytest

from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.ledgers import Ledger


@pytest.mark.parametrize(("severity", "level"), [("blocking", logging.ERROR), ("advisory", logging.WARNING)])
def test_an_alert_is_kept_and_logged_by_its_severity(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, severity: str, level: int
) -> None:
    ledger = Ledger(tmp_path / "alerts")
    number = raise_alert(ledger, severity=severity, title="run failed", night="2024-05-05", detail="why")  # type: ignore[arg-type]
    (entry,) = ledger.entries()
    assert (number, entry["severity"], entry["title"], entry["night"], entry["detail"]) == (
        1, severity, "run failed", "2024-05-05", "why",
    )  # fmt: skip
    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage() == "run failed (night 2024-05-05): why"


def test_a_long_detail_is_cut(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "alerts")
    raise_alert(ledger, severity="advisory", title="t", night="", detail="x" * 10_000)
    assert ledger.entries()[0]["detail"] == "x" * 2000


def test_a_percent_sign_in_a_message_is_only_a_percent_sign(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raise_alert(Ledger(tmp_path / "alerts"), severity="blocking", title="100%s", night="%d", detail="50 % {}")
    assert caplog.records[0].getMessage() == "100%s (night %d): 50 % {}"


def test_the_same_alert_is_raised_once_and_one_of_another_key_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "alerts")

    def raised(detail: str, key: str | None = None) -> int:
        return raise_alert(ledger, severity="blocking", title="t", night="n", detail=detail, key=key)

    assert [raised("a"), raised("a"), raised("b"), raised("a", "k"), raised("c", "k")] == [1, 1, 2, 3, 3]
    assert len(ledger.entries()) == 3

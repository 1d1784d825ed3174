"""Alerts: what a person must know, kept in a ledger and written to the log."""

import logging
from typing import Literal

from ml_pipeline.io.ledgers import Ledger

_LOG = logging.getLogger(__name__)


def raise_alert(
    ledger: Ledger, *, severity: Literal["advisory", "blocking"], title: str, night: str, detail: str
) -> int:
    """Append the alert and return its number; ``detail`` is cut to what a ledger entry should hold."""
    _LOG.log(logging.ERROR if severity == "blocking" else logging.WARNING, "%s (night %s): %s", title, night, detail)
    return ledger.append({"severity": severity, "title": title, "night": night, "detail": detail[:2000]})

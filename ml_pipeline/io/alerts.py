"""Alerts: what a person must know, kept in a ledger and written to the log. The one door; ``alert_delivery`` sends them."""

import hashlib
import json
import logging

from ml_pipeline.contracts.alerts import Severity, runbook_of
from ml_pipeline.io.ledgers import Ledger

ALERTS = "alerts"
_LOG = logging.getLogger(__name__)


def raise_alert(
    ledger: Ledger, *, severity: Severity, title: str, night: str, detail: str, key: str | None = None
) -> int:  # fmt: skip
    """Append the alert and return its number; ``detail`` is cut to what a ledger entry should hold.

    What was raised under the same ``key`` before is not raised again: the number of the first is returned. Without a key,
    that is an alert of the same severity, title, night and detail.
    """
    cut = detail[:2000]
    named = key or hashlib.sha256(json.dumps([severity, title, night, cut]).encode()).hexdigest()[:16]
    for entry in ledger.entries():
        if entry.get("key") == named:
            return int(entry["number"])
    _LOG.log(logging.ERROR if severity == "blocking" else logging.WARNING, "%s (night %s): %s", title, night, detail)
    return ledger.append({
        "severity": severity, "title": title, "night": night, "detail": cut, "key": named, "runbook": runbook_of(title),
    })  # fmt: skip

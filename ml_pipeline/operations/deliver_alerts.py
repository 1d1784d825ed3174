"""Delivers the alerts of the ledger: at least once through each channel, every attempt recorded.

The ledger is the outbox (Richardson, Microservices Patterns, 2018, ch. 3): an alert that was raised is not lost with the
process that raised it, and a channel that is down holds nothing up.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ml_pipeline.contracts.alerts import Channel
from ml_pipeline.io.alert_channels import ChannelError, Message, send
from ml_pipeline.io.alerts import ALERTS
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.io.locks import exclusive_lock

DELIVERIES = "alert_deliveries"
# What is older was raised before anybody listened: a new channel must not be flooded with it.
_OLDEST = timedelta(days=7)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)

Entry = dict[str, Any]


@dataclass(frozen=True)
class Delivered:
    """How many were taken, and which channels took nothing, with the reason."""

    sent: int
    failed: Mapping[str, str]


def deliver_alerts(data: Path, channels: Sequence[Channel], *, project: str, now: datetime | None = None) -> Delivered:
    """Send what each of ``channels`` has not taken yet, oldest first. A dead channel is recorded and raises nothing.

    After a failure a channel is left alone, for a minute and then twice as long each time, up to an hour. One process at a
    time: a crash between sending and recording sends again, under the same key.
    """
    if not channels:
        return Delivered(0, {})
    with exclusive_lock(data / "locks" / "alert_delivery.lock"):
        instant = now or datetime.now(UTC)
        alerts = [alert for alert in Ledger(data / "ledgers" / ALERTS).entries() if _is_recent(alert, instant)]
        deliveries = Ledger(data / "ledgers" / DELIVERIES)
        past = deliveries.entries()
        found = {
            channel.name: _Courier(channel, project, deliveries).deliver(alerts, past, instant) for channel in channels
        }
    failed = {name: reason for name, (_, reason) in found.items() if reason}
    return Delivered(sum(sent for sent, _ in found.values()), failed)


@dataclass(frozen=True)
class _Courier:
    channel: Channel
    project: str
    deliveries: Ledger

    def deliver(self, alerts: Sequence[Entry], past: Sequence[Entry], now: datetime) -> tuple[int, str]:
        """How many were taken, and why the channel is down; empty if it is not."""
        own = [entry for entry in past if entry["channel"] == self.channel.name]
        taken = {entry["key"] for entry in own if entry["is_delivered"]}
        wait = _waits_until(own)
        if wait is not None and now < wait:
            return 0, f"left alone until {wait.isoformat(timespec='seconds')}"
        sent = 0
        attempts = Counter(entry["key"] for entry in own)
        for alert in alerts:
            if _key_of(alert) in taken or (alert["severity"], self.channel.least) == ("advisory", "blocking"):
                continue
            problem = self._attempt(alert, attempts[_key_of(alert)] + 1)
            if problem:
                return sent, problem
            taken.add(_key_of(alert))
            sent += 1
        return sent, ""

    def _attempt(self, alert: Entry, attempt: int) -> str:
        key = _key_of(alert)
        message = Message(
            self.project, alert["number"], key, alert["severity"], alert["title"], alert["night"], alert["detail"],
            alert.get("runbook", ""), alert["recorded_at"],
        )  # fmt: skip
        problem = ""
        try:
            send(self.channel, message)
        except ChannelError as error:
            problem = str(error)
        self.deliveries.append({
            "alert": alert["number"], "key": key, "channel": self.channel.name, "attempt": attempt, "is_delivered": not problem,
            "problem": problem,
        })  # fmt: skip
        return problem


def _key_of(alert: Entry) -> str:
    """Alerts from before they had keys are told apart by their number."""
    return str(alert.get("key") or f"alert_{alert['number']}")


def _is_recent(alert: Entry, now: datetime) -> bool:
    return now - datetime.fromisoformat(alert["recorded_at"]) <= _OLDEST


def _waits_until(own: Sequence[Entry]) -> datetime | None:
    """When a channel whose last attempts failed may be tried again; None if the last one was taken."""
    failures = 0
    for entry in reversed(own):
        if entry["is_delivered"]:
            break
        failures += 1
    if not failures:
        return None
    wait = min(_FIRST_WAIT * (1 << min(failures - 1, 10)), _LONGEST_WAIT)
    last = datetime.fromisoformat(str(own[-1]["recorded_at"]))
    return last + wait

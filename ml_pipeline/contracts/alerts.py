"""Alerts: how grave they are, where they go, and which runbook says what to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

Severity = Literal["advisory", "blocking"]
ChannelKind = Literal["log", "webhook", "slack", "smtp"]
Encryption = Literal["none", "starttls", "tls"]

RUNBOOKS_FILE = "ml_pipeline/RUNBOOKS.md"
# The first pattern that a title matches whole names the section of RUNBOOKS.md.
RUNBOOKS: Mapping[str, str] = {
    r"run of \S+ failed": "a-run-failed",
    r"scores are held": "scores-are-held",
    r"a night could not be scored": "a-night-could-not-be-scored",
    r"(champion|previous_champion) \S+ could not score": "a-model-could-not-score",
    r"model \S+ could not score in the shadow": "a-model-could-not-score-in-the-shadow",
    r"a fresh champion does worse than its predecessor": "a-fresh-champion-does-worse-than-its-predecessor",
    r"drift is not measured against the champion": "drift-is-not-measured-against-the-champion",
    r"data are bad": "data-are-bad",
    r"scores are overdue": "scores-are-overdue",
    r"challengers are refused in a row": "challengers-are-refused-in-a-row",
    r"this is a test": "this-is-a-test",
}

_SCHEMES: Mapping[str, tuple[ChannelKind, Encryption, int]] = {
    "log": ("log", "none", 0),
    "webhook+http": ("webhook", "none", 80), "webhook+https": ("webhook", "tls", 443),
    "slack+http": ("slack", "none", 80), "slack+https": ("slack", "tls", 443),
    "smtp": ("smtp", "none", 25), "smtp+starttls": ("smtp", "starttls", 587), "smtps": ("smtp", "tls", 465),
}  # fmt: skip
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True)
class Channel:
    """Where alerts go. ``path`` and ``password`` may be secrets: neither is ever shown, logged or recorded.

    Attributes:
        name: under which deliveries are recorded: the kind, the host and the position in the settings.
        least: advisory takes every alert, blocking only these.
    """

    name: str
    kind: ChannelKind
    least: Severity
    host: str = ""
    port: int = 0
    encryption: Encryption = "none"
    path: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    sender: str = ""
    recipients: tuple[str, ...] = ()


def runbook_of(title: str) -> str:
    """File and anchor of the runbook for ``title``; the file alone if there is no section for it."""
    anchors = (anchor for pattern, anchor in RUNBOOKS.items() if re.fullmatch(pattern, title))
    anchor = next(anchors, "")
    return f"{RUNBOOKS_FILE}#{anchor}" if anchor else RUNBOOKS_FILE


def parse_channels(text: str) -> tuple[Channel, ...]:
    """The channels written in ``text``, separated by white space.

    ``log:``, ``webhook+https://host/path``, ``slack+https://host/path``, ``smtps://user:password@host/?from=a@b&to=c@d``
    (also ``smtp+starttls://``); ``#blocking`` at the end keeps advisory alerts away.

    Raises:
        ValueError: one of them is no channel. The message gives its position, never its text: it may hold a secret.
    """
    return tuple(_parsed(part, position) for position, part in enumerate(text.split(), start=1))


def _parsed(text: str, position: int) -> Channel:
    told = f"alert channel number {position}"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError(f"{told} is no URL") from None
    if url.scheme not in _SCHEMES:
        raise ValueError(f"{told} must begin with one of {', '.join(f'{scheme}:' for scheme in _SCHEMES)}")
    kind, encryption, usual_port = _SCHEMES[url.scheme]
    least = url.fragment or "advisory"
    if least not in {"advisory", "blocking"}:
        raise ValueError(f"{told} may end with #advisory or #blocking and nothing else")
    severity: Severity = "blocking" if least == "blocking" else "advisory"
    if kind == "log":
        return Channel(f"{position}:log", kind, severity)
    host = url.hostname or ""
    if not host:
        raise ValueError(f"{told} names no host")
    name = f"{position}:{kind}@{host}"
    if kind == "smtp":
        return _mail(Channel(name, kind, severity, host, port or usual_port, encryption), url, told)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if url.username is not None or url.password is not None:
        raise ValueError(f"{told} holds a user; put what the receiver asks for into the path")
    return Channel(name, kind, severity, host, port or usual_port, encryption, path)


def _mail(channel: Channel, url: SplitResult, told: str) -> Channel:
    asked = parse_qs(url.query)
    senders, recipients = asked.get("from", []), asked.get("to", [])
    if len(senders) != 1 or not recipients:
        raise ValueError(f"{told} needs ?from=ADDRESS&to=ADDRESS (to may be repeated)")
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if user and channel.encryption == "none" and channel.host not in _LOOPBACK:
        raise ValueError(f"{told} would send its password in the clear; use smtps:// or smtp+starttls://")
    return Channel(
        channel.name, channel.kind, channel.least, channel.host, channel.port, channel.encryption, "", user, password,
        senders[0], tuple(recipients),
    )  # fmt: skip

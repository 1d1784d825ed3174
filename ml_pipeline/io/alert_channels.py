"""Sends one alert through one channel. Returns when the other side has taken it; anything else is a ChannelError."""

import http.client
import json
import logging
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.message import EmailMessage

from ml_pipeline.contracts.alerts import Channel, ChannelKind

TIMEOUT_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


class ChannelError(RuntimeError):
    """The alert was not taken. The message names no path, user or password."""


@dataclass(frozen=True)
class Message:
    """An alert on its way out. ``key`` is the same for every attempt, so that the receiver can tell a repetition."""

    project: str
    number: int
    key: str
    severity: str
    title: str
    night: str
    detail: str
    runbook: str
    raised_at: str

    @property
    def subject(self) -> str:
        night = f" (night {self.night})" if self.night else ""
        return " ".join(f"[{self.severity}] {self.project}: {self.title}{night}".split())

    @property
    def text(self) -> str:
        return (
            f"{self.detail}\n\nRunbook: {self.runbook}\nRaised: {self.raised_at}, alert {self.number}, key {self.key}"
        )


def send(channel: Channel, message: Message) -> None:
    """Send ``message`` through ``channel``.

    Raises:
        ChannelError: nobody answered in time, or the answer was no.
    """
    try:
        _SENDERS[channel.kind](channel, message)
    except (OSError, http.client.HTTPException, smtplib.SMTPException, ValueError) as error:
        # Only the kind of error: its text may repeat the address that was asked for.
        raise ChannelError(f"{channel.kind} at {channel.host}: {type(error).__name__}") from error


def _log(_: Channel, message: Message) -> None:
    level = logging.ERROR if message.severity == "blocking" else logging.WARNING
    _LOG.log(level, "%s: %s", message.subject, message.text)


def _webhook(channel: Channel, message: Message) -> None:
    _post(channel, message, asdict(message))


def _slack(channel: Channel, message: Message) -> None:
    said = f"{message.subject}\n{message.text}"
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        said = said.replace(sign, entity)
    _post(channel, message, {"text": said})


def _post(channel: Channel, message: Message, content: Mapping[str, object]) -> None:
    """A redirect is no answer: following it would turn the request into one that carries nothing."""
    connection: http.client.HTTPConnection
    if channel.encryption == "tls":
        connection = http.client.HTTPSConnection(
            channel.host, channel.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(channel.host, channel.port, timeout=TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
    try:
        connection.request("POST", channel.path, json.dumps(content), headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
        raise ChannelError(f"{channel.kind} at {channel.host} answered {status}")


def _smtp(channel: Channel, message: Message) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.subject, channel.sender, ", ".join(channel.recipients)
    mail["Message-ID"] = f"<{message.key}.{message.number}@{message.project}.ml-pipeline>"
    mail.set_content(message.text)
    context = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(channel.host, channel.port, timeout=TIMEOUT_SECONDS, context=context)
        if channel.encryption == "tls"
        else smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_SECONDS)
    )
    with server:
        if channel.encryption == "starttls":
            server.starttls(context=context)
        if channel.user:
            server.login(channel.user, channel.password)
        refused = server.send_message(mail)
    if refused:
        raise ChannelError(f"smtp at {channel.host} refused {len(refused)} of {len(channel.recipients)} recipients")


_SENDERS: Mapping[ChannelKind, Callable[[Channel, Message], None]] = {
    "log": _log, "webhook": _webhook, "slack": _slack, "smtp": _smtp,
}  # fmt: skip

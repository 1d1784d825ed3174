import json
import logging
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from ml_pipeline.contracts.alerts import Channel, parse_channels
from ml_pipeline.io import alert_channels
from ml_pipeline.io.alert_channels import ChannelError, Message, send
from ml_pipeline_tests.receivers import Mails, Posts, http_receiver, smtp_receiver

MESSAGE = Message(
    "shop", 3, "k3", "blocking", "scores are held", "2024-05-05", "mean <0.9> & more\nünd", "R.md#scores-are-held", "2024-05-05T20:00:00"
)  # fmt: skip


@pytest.fixture
def posts() -> Iterator[Posts]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def mails() -> Iterator[Mails]:
    with smtp_receiver() as receiver:
        yield receiver


def channel(text: str) -> Channel:
    (found,) = parse_channels(text)
    return found


def test_a_webhook_gets_everything_as_json_and_the_key_as_a_header(posts: Posts) -> None:
    send(channel(f"webhook+http://127.0.0.1:{posts.port}/hook?a=b"), MESSAGE)
    ((path, headers, body),) = posts.given
    assert (path, headers["Idempotency-Key"], headers["Content-Type"]) == ("/hook?a=b", "k3", "application/json")
    assert json.loads(body) == {
        "project": "shop", "number": 3, "key": "k3", "severity": "blocking", "title": "scores are held", "night": "2024-05-05",
        "detail": "mean <0.9> & more\nünd", "runbook": "R.md#scores-are-held", "raised_at": "2024-05-05T20:00:00",
    }  # fmt: skip


def test_slack_gets_one_text_in_which_nothing_is_a_command(posts: Posts) -> None:
    send(channel(f"slack+http://127.0.0.1:{posts.port}/T/B"), MESSAGE)
    text = json.loads(posts.given[0][2])["text"]
    assert text.startswith("[blocking] shop: scores are held (night 2024-05-05)\nmean &lt;0.9&gt; &amp; more")
    assert "Runbook: R.md#scores-are-held" in text


def test_a_mail_reaches_every_recipient_with_night_and_runbook(mails: Mails) -> None:
    send(channel(f"smtp://127.0.0.1:{mails.port}/?from=ml@x.y&to=a@x.y&to=b@x.y"), MESSAGE)
    ((sender, recipients, mail),) = mails.given
    assert (sender, recipients) == ("ml@x.y", ["a@x.y", "b@x.y"])
    assert mail["Subject"] == "[blocking] shop: scores are held (night 2024-05-05)"
    assert mail["Message-ID"] == "<k3.3@shop.ml-pipeline>"
    body = mail.get_content()  # type: ignore[attr-defined]
    assert "ünd" in body and "R.md#scores-are-held" in body


def test_a_title_cannot_write_headers_of_its_own(mails: Mails) -> None:
    hostile = Message("shop", 1, "k", "advisory", "x\r\nBcc: z@x.y", "n\n", "d", "r", "t")
    send(channel(f"smtp://127.0.0.1:{mails.port}/?from=ml@x.y&to=a@x.y"), hostile)
    ((_, recipients, mail),) = mails.given
    assert (recipients, mail["Bcc"], mail["Subject"]) == (["a@x.y"], None, "[advisory] shop: x Bcc: z@x.y (night n )")


def test_the_log_is_a_channel_too(caplog: pytest.LogCaptureFixture) -> None:
    send(channel("log:"), MESSAGE)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "scores are held" in record.getMessage() and "R.md#scores-are-held" in record.getMessage()


@pytest.mark.parametrize("status", [301, 307, 404, 500])
def test_any_answer_but_yes_is_a_failure_and_a_redirect_is_not_followed(posts: Posts, status: int) -> None:
    posts.status = status
    with pytest.raises(ChannelError, match=f"webhook at 127.0.0.1 answered {status}"):
        send(channel(f"webhook+http://127.0.0.1:{posts.port}/token"), MESSAGE)
    assert len(posts.given) == 1


def test_a_refused_recipient_is_a_failure(mails: Mails) -> None:
    mails.refused = {"b@x.y"}
    with pytest.raises(ChannelError, match="refused 1 of 2 recipients"):
        send(channel(f"smtp://127.0.0.1:{mails.port}/?from=ml@x.y&to=a@x.y&to=b@x.y"), MESSAGE)


@pytest.mark.parametrize("kind", ["webhook+http://127.0.0.1:{}/token", "smtp://127.0.0.1:{}/?from=a@b&to=c@d"])
def test_a_receiver_that_is_gone_or_says_nothing_is_a_failure_in_time(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_channels, "TIMEOUT_SECONDS", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ChannelError, match="TimeoutError|SMTPServerDisconnected") as failed:
            send(channel(kind.format(port)), MESSAGE)
    with pytest.raises(ChannelError, match="ConnectionRefusedError"):
        send(channel(kind.format(port)), MESSAGE)
    assert "token" not in str(failed.value)

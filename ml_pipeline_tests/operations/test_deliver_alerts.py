import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ml_pipeline.contracts.alerts import parse_channels
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.ledgers import Ledger
from ml_pipeline.operations.deliver_alerts import DELIVERIES, Delivered, deliver_alerts
from ml_pipeline_tests.receivers import Posts, http_receiver


@pytest.fixture
def posts() -> Iterator[Posts]:
    with http_receiver() as receiver:
        yield receiver


def raised(data: Path, *details: str, severity: str = "blocking") -> None:
    for detail in details:
        raise_alert(
            Ledger(data / "ledgers" / "alerts"),
            severity=severity,
            title="scores are held",
            night="2024-05-05",
            detail=detail,
        )  # type: ignore[arg-type]


def delivered(data: Path, text: str, after: timedelta = timedelta()) -> Delivered:
    return deliver_alerts(data, parse_channels(text), project="shop", now=datetime.now(UTC) + after)


def details(posts: Posts) -> list[str]:
    return [json.loads(body)["detail"] for _, _, body in posts.given]


def test_each_alert_goes_once_through_each_channel_with_its_night_and_runbook(tmp_path: Path, posts: Posts) -> None:
    raised(tmp_path, "a", "b", "a")
    both = f"webhook+http://127.0.0.1:{posts.port}/one webhook+http://127.0.0.1:{posts.port}/two"
    assert delivered(tmp_path, both) == Delivered(4, {})
    assert delivered(tmp_path, both) == Delivered(0, {})
    assert details(posts) == ["a", "b", "a", "b"]
    told = json.loads(posts.given[0][2])
    assert (told["night"], told["runbook"]) == ("2024-05-05", "ml_pipeline/RUNBOOKS.md#scores-are-held")


def test_a_channel_for_blocking_alerts_gets_no_advisory_ones(tmp_path: Path, posts: Posts) -> None:
    raised(tmp_path, "a", severity="advisory")
    raised(tmp_path, "b")
    assert delivered(tmp_path, f"webhook+http://127.0.0.1:{posts.port}/#blocking").sent == 1
    assert details(posts) == ["b"]


def test_a_dead_channel_is_recorded_left_alone_for_a_while_and_holds_no_other_up(tmp_path: Path, posts: Posts) -> None:
    raised(tmp_path, "a", "b")
    posts.status = 500
    text = f"webhook+http://127.0.0.1:{posts.port}/token log:"
    first = delivered(tmp_path, text)
    assert first == Delivered(2, {"1:webhook@127.0.0.1": "webhook at 127.0.0.1 answered 500"})
    assert "left alone until" in delivered(tmp_path, text).failed["1:webhook@127.0.0.1"]
    assert len(posts.given) == 1
    delivered(tmp_path, text, after=timedelta(seconds=61))
    assert len(posts.given) == 2
    delivered(tmp_path, text, after=timedelta(seconds=61))
    assert len(posts.given) == 2
    posts.status = 200
    assert delivered(tmp_path, text, after=timedelta(seconds=121)) == Delivered(2, {})
    assert details(posts) == ["a", "a", "a", "b"]
    assert len({headers["Idempotency-Key"] for _, headers, _ in posts.given}) == 2
    entries = Ledger(tmp_path / "ledgers" / DELIVERIES).entries()
    own = [entry for entry in entries if entry["channel"] == "1:webhook@127.0.0.1"]
    assert [(entry["attempt"], entry["is_delivered"]) for entry in own] == [
        (1, False),
        (2, False),
        (3, True),
        (1, True),
    ]
    assert "token" not in json.dumps(entries)


def test_a_crash_between_sending_and_recording_sends_again_under_the_same_key(
    tmp_path: Path, posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised(tmp_path, "a")
    text = f"webhook+http://127.0.0.1:{posts.port}/"
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            delivered(tmp_path, text)
    assert delivered(tmp_path, text).sent == 1
    assert len(posts.given) == 2
    assert len({headers["Idempotency-Key"] for _, headers, _ in posts.given}) == 1


def test_a_new_channel_is_not_flooded_with_the_past(tmp_path: Path, posts: Posts) -> None:
    raised(tmp_path, "a")
    text = f"webhook+http://127.0.0.1:{posts.port}/"
    assert delivered(tmp_path, text, after=timedelta(days=7, minutes=1)).sent == 0
    assert delivered(tmp_path, text, after=timedelta(days=6)).sent == 1


def test_without_channels_nothing_is_touched(tmp_path: Path) -> None:
    assert delivered(tmp_path, "") == Delivered(0, {})
    assert list(tmp_path.iterdir()) == []

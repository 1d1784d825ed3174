import ast
import re

import pytest

from ml_pipeline.contracts.alerts import RUNBOOKS, RUNBOOKS_FILE, parse_channels, runbook_of
from ml_pipeline_tests.processes import ROOT

# What a placeholder of a title may stand for, by the name of its variable.
_STANDS_FOR = {"fall.rung": "champion"}


def titles_in_the_code() -> dict[str, str]:
    """Every title that is given to ``raise_alert``, by the place of the call; placeholders filled in."""
    found = {}
    for path in (ROOT / "ml_pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "raise_alert":
                (title,) = [keyword.value for keyword in node.keywords if keyword.arg == "title"]
                branches = [title.body, title.orelse] if isinstance(title, ast.IfExp) else [title]
                found |= {f"{path.name}:{branch.lineno}:{branch.col_offset}": text_of(branch) for branch in branches}
    return found


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr), (
        f"a title must be a text that can be read from the source: {ast.unparse(node)}"
    )
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else _STANDS_FOR.get(ast.unparse(part.value), "x")  # type: ignore[attr-defined]
        for part in node.values
    )


def anchors() -> set[str]:
    """As the web shows them: small letters, spaces as hyphens, no other signs."""
    text = (ROOT / RUNBOOKS_FILE).read_text(encoding="utf-8")
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_alert_that_the_code_can_raise_has_a_runbook() -> None:
    titles = titles_in_the_code()
    assert len(titles) >= 7
    without = {place: title for place, title in titles.items() if "#" not in runbook_of(title)}
    assert without == {}
    assert {runbook_of(title).partition("#")[2] for title in titles.values()} == set(RUNBOOKS.values())


def test_every_anchor_is_a_section_and_every_section_is_of_an_alert() -> None:
    assert anchors() == set(RUNBOOKS.values())


def test_a_title_that_nobody_wrote_a_runbook_for_names_the_file_alone() -> None:
    assert runbook_of("the moon is gone") == RUNBOOKS_FILE
    assert runbook_of("scores are held, or not") == RUNBOOKS_FILE


def test_channels_are_read_with_their_usual_ports_and_least_severity() -> None:
    channels = parse_channels(
        "log: slack+https://hooks.example.org/a/b?c=d#blocking smtp+starttls://u%40x:p%2Fw@mail.example.org/?from=a@b.c&to=d@e.f&to=g@h.i"
    )
    log, slack, mail = channels
    assert (log.kind, log.name, log.least) == ("log", "1:log", "advisory")
    assert (slack.host, slack.port, slack.path, slack.encryption, slack.least) == (
        "hooks.example.org", 443, "/a/b?c=d", "tls", "blocking",
    )  # fmt: skip
    assert (mail.port, mail.user, mail.password, mail.recipients) == (587, "u@x", "p/w", ("d@e.f", "g@h.i"))
    assert parse_channels("  ") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://secret", "must begin with one of"), ("webhook+https://", "names no host"), ("log:#loud", "#advisory or #blocking"),
        ("smtps://secret@host/", "needs [?]from=ADDRESS"), ("smtp://u:secret@host/?from=a@b&to=c@d", "in the clear"),
        ("webhook+https://u:secret@host/", "holds a user"), ("slack+https://host:secret/", "is no URL"),
    ],
)  # fmt: skip
def test_what_is_no_channel_is_refused_without_repeating_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        parse_channels(f"log: {text}")
    assert "alert channel number 2" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_channel_shows_none_of_its_secrets() -> None:
    (channel,) = parse_channels("smtps://name:word@host/?from=a@b&to=c@d")
    (hook,) = parse_channels("slack+https://host/T0/B0/token")
    assert not re.search("name:|word|token", repr(channel) + repr(hook))

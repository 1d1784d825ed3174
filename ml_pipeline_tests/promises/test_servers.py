"""No page of another site, and nobody outside of this machine, starts, stops or reads anything through the UI."""

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect, sync_playwright
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ml_pipeline_tests.listening import family_of, listening_addresses
from ml_pipeline_tests.served import JSON, Server, start

LAUNCH = """mutation { launchRun(executionParams: {
  selector: {repositoryLocationName: "ml_pipeline", repositoryName: "__repository__", jobName: "ingestion"}, mode: "default",
  executionMetadata: {tags: [{key: "dagster/partition", value: "2024-02-16"}]}}) { __typename } }"""
FOREIGN = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def server(_shop_template: Path, mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("served")
    shutil.copyfile(mlflow_template, data / "mlflow.db")
    # Without the daemon a run that is launched stays in the queue, so that it can be counted and does nothing.
    server = start(_shop_template, data, "--no-daemon")
    yield server
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=60) == 0, (data / "server.log").read_text()


def test_no_attack_of_a_foreign_page_starts_a_run(server: Server) -> None:
    query, asked = json.dumps({"query": LAUNCH}), f"/graphql?query={quote(LAUNCH)}"
    attacks = [
        ("GET", asked, "", {}), ("GET", asked, "", FOREIGN), ("HEAD", asked, "", FOREIGN),
        ("GET", asked, "", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
        ("GET", asked, "", {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}),
        ("POST", "/graphql", query, JSON | FOREIGN), ("POST", "/graphql", query, JSON | {"Origin": "null"}),
        ("POST", "/graphql", query, JSON | {"Sec-Fetch-Site": "same-site"}),
        ("POST", "/graphql", query, JSON | {"Origin": "http://localhost:5000"}),
        ("POST", "/graphql", query, {"Content-Type": "text/plain"}),
        ("POST", "/graphql", query, {"Content-Type": "text/plain; x=application/json"}),
        ("POST", "/graphql", LAUNCH, {"Content-Type": "application/graphql"}),
        ("POST", asked, "", {"Content-Type": "application/x-www-form-urlencoded"}), ("POST", asked, "", FOREIGN),
        ("POST", asked, "{}", JSON), ("PUT", asked, query, JSON),
        ("POST", "/graphql", query, JSON | {"Host": "evil.example"}),
        ("POST", "/graphql", query, JSON | {"Host": f"evil.example:{server.port}"}),
        ("GET", "/", "", {"Host": "evil.example"}), ("GET", "/logs/a/b.out", "", {"Host": "rebound.evil.example"}),
        ("POST", "/report_asset_materialization/scores", "", FOREIGN),
    ]  # fmt: skip
    before = server.runs()
    accepted = [attack for attack in attacks if server.ask(attack[0], attack[1], attack[2], **attack[3])[0] == 200]
    print(f"attacks: {len(attacks)} / {len(accepted)}; runs started: {server.runs() - before}")
    assert accepted == []
    assert server.runs() == before


def test_the_same_mutation_from_its_own_page_starts_one(server: Server) -> None:
    before = server.runs()
    launched = server.graphql(LAUNCH, Origin=server.own, Sec_Fetch_Site="same-origin")
    assert launched["launchRun"]["__typename"] == "LaunchRunSuccess"
    assert server.runs() == before + 1


def test_a_websocket_is_opened_for_its_own_page_only(server: Server) -> None:
    address = f"ws://127.0.0.1:{server.port}/graphql"
    for origin in ("http://evil.example", "http://localhost:5000", "null", None):
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, origin=origin, subprotocols=["graphql-ws"])
    with connect(address, origin=server.own, subprotocols=["graphql-ws"]) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(socket.recv(timeout=30)) == {"type": "connection_ack"}


def test_it_listens_on_loopback_only_and_lets_nobody_else_near_its_code_servers(server: Server) -> None:
    addresses = listening_addresses(family_of(server.process.pid))
    assert addresses == {f"0100007F:{server.port:04X}"}
    commands = [Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in family_of(server.process.pid)]
    sockets = [Path(words[words.index("--socket") + 1]) for words in commands if "--socket" in words]
    assert sockets
    assert [path.stat().st_mode & 0o022 for path in sockets] == [0] * len(sockets)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_a_browser_shows_the_graph(server: Server) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        refused: list[str] = []
        sockets: list[str] = []
        page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(f"{server.own}/asset-groups")
        expect(page.get_by_text("ingestion").first).to_be_visible(timeout=30_000)
        browser.close()
    assert refused == []
    assert sockets

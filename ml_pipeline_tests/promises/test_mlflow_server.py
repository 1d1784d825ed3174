"""No page of another site, and nobody outside of this machine, changes or reads anything through MLflow's UI."""

import json
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from ml_pipeline_tests.listening import family_of, listening_addresses
from ml_pipeline_tests.served import JSON, Server, start

if TYPE_CHECKING:
    from mlflow.entities import Run

REFUSED = {403, 405, 415, 421}
FOREIGN = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
CREATE = "/api/2.0/mlflow/experiments/create"
AJAX = "/ajax-api/2.0/mlflow/experiments/create"
# What pages of experiments, runs and models read by a POST; everything else that is no GET changes something.
SEARCHES = {
    "datasets/search", "experiments/search", "experiments/search-datasets", "logged-models/search", "runs/search",
    "registered-models/get-latest-versions", "traces/batchGetInfos", "traces/metrics", "traces/search", "graphql",
}  # fmt: skip
EXPERIMENT = '{ mlflowGetExperiment(input: {experimentId: "1"}) { experiment { name } } }'


@pytest.fixture(scope="module")
def data(mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("mlflow_served")
    shutil.copyfile(mlflow_template, data / "mlflow.db")
    return data


@pytest.fixture(scope="module")
def server(_shop_template: Path, data: Path) -> Iterator[Server]:
    yield from _served(_shop_template, data)


@pytest.fixture(scope="module")
def viewer(server: Server, _shop_template: Path, data: Path) -> Iterator[Server]:
    """A second server of the same store, which only shows it."""
    yield from _served(_shop_template, data, "--read-only")


def _served(project: Path, data: Path, *options: str) -> Iterator[Server]:
    server = start(project, data, *options, command="mlflow-ui")
    yield server
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=60) == 0, (data / "server.log").read_text()


def stored(data: Path) -> list[str]:
    """The whole store, as SQL."""
    with closing(sqlite3.connect(data / "mlflow.db")) as store:
        return list(store.iterdump())


def named(name: str) -> str:
    return json.dumps({"name": name})


def test_no_attack_of_a_foreign_page_changes_the_store(server: Server, data: Path) -> None:
    body, mutation = named("attack"), json.dumps({"query": 'mutation { testMutation(inputString: "x") { output } }'})
    attacks = [
        *(("POST", path, body, JSON | headers) for path in (CREATE, AJAX) for headers in (
            FOREIGN, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://localhost:3000"}, {"Origin": "http://127.0.0.1"},
            {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
            {"Host": "evil.example"}, {"Host": f"evil.example:{server.port}"}, {"Host": "0.0.0.0"},
            {"Content-Type": "text/plain"}, {"Content-Type": "text/plain; x=application/json"}, {"Content-Type": ""},
            {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "multipart/form-data; boundary=x"},
        )),
        ("GET", f"{CREATE}?name=attack", "", {}), ("GET", CREATE, body, JSON), ("HEAD", f"{AJAX}?name=attack", "", FOREIGN),
        ("PUT", CREATE, body, JSON | FOREIGN), ("OPTIONS", CREATE, "", FOREIGN | {"Access-Control-Request-Method": "POST"}),
        ("POST", "/graphql", mutation, JSON | FOREIGN), ("POST", "/graphql", mutation, {"Content-Type": "text/plain"}),
        ("GET", "/graphql?query=mutation{testMutation(inputString:%22x%22){output}}", "", {}),
        ("GET", "/graphql", mutation, JSON), ("POST", "/graphql?query=mutation{x}", mutation, JSON),
        ("PATCH", "/api/2.0/mlflow/registered-models/update", body, JSON | FOREIGN),
        ("DELETE", "/api/2.0/mlflow/registered-models/delete", body, JSON | FOREIGN),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/x/artifacts/y", "attack", FOREIGN),
        *(("GET", "/ajax-api/2.0/mlflow/experiments/search?max_results=5", "", {"Origin": origin})
          for origin in ("http://localhost:3000", "http://evil.example", "null")),
        ("GET", "/", "", {"Host": "evil.example"}), ("GET", "/health", "", {"Host": "evil.example"}),
        ("GET", "/version", "", {"Host": "evil.example"}),
        ("GET", "/get-artifact?path=x", "", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}),
        # What would start programs, ask other hosts or keep secrets is nobody's here, not even its own page's.
        *((method, path, "{}", JSON | {"Origin": server.own}) for method, path in (
            ("PUT", "/ajax-api/3.0/mlflow/assistant/config"), ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
            ("POST", "/ajax-api/3.0/jobs/"), ("POST", "/gateway/mlflow/v1/chat/completions"), ("POST", "/v1/traces"),
            ("POST", "/api/2.0/mlflow/webhooks"), ("GET", "/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=x"),
            ("POST", "/ajax-api/3.0/mlflow/gateway/secrets/create"), ("POST", "/ajax-api/3.0/mlflow/demo/generate"),
            ("POST", "/ajax-api/3.0/mlflow/ui-telemetry"), ("POST", "/api/3.0/mlflow/mcp-servers"),
            ("POST", "/api/2.0/mlflow/runs/../webhooks"), ("POST", "/api/2.0/mlflow/experiments//create"),
        )),
    ]  # fmt: skip
    before = stored(data)
    accepted = [
        attack for attack in attacks if server.ask(attack[0], attack[1], attack[2], **attack[3])[0] not in REFUSED
    ]
    print(f"attacks: {len(attacks)} / {len(accepted)}")
    assert accepted == []
    assert stored(data) == before


def test_its_own_pages_and_programs_may_change_the_store(server: Server, data: Path) -> None:
    assert (
        server.ask("POST", AJAX, named("by a page"), **JSON, Origin=server.own, Sec_Fetch_Site="same-origin")[0] == 200
    )
    assert server.ask("POST", CREATE, named("by a program"), **JSON)[0] == 200
    text = "\n".join(stored(data))
    assert "by a page" in text
    assert "by a program" in text


def test_no_way_of_mlflows_own_table_changes_what_a_viewer_is_shown(viewer: Server, data: Path) -> None:
    from mlflow.server import app

    ways = [
        (method, re.sub(r"<[^>]+>", "1", str(rule)))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    ]
    changing = [
        way for way in ways if way[0] not in {"GET", "HEAD"} and way[1].split("/mlflow/")[-1].strip("/") not in SEARCHES
    ]
    before = stored(data)
    answered = [
        way for way in changing if viewer.ask(*way, named("by a viewer"), **JSON, Origin=viewer.own)[0] not in REFUSED
    ]
    print(f"ways to change something: {len(changing)} / {len(answered)}")
    assert answered == []
    assert len(changing) > 150
    mutation = json.dumps(
        {"query": f'query a {EXPERIMENT} mutation b {{ testMutation(inputString: "x") {{ output }} }}'}
    )
    assert viewer.ask("POST", "/graphql", mutation, **JSON)[0] == 403
    assert stored(data) == before


def test_a_viewer_reads_all_the_same(viewer: Server, data: Path) -> None:
    assert viewer.ask("POST", "/ajax-api/2.0/mlflow/runs/search", '{"experiment_ids": ["1"]}', **JSON)[0] == 200
    assert viewer.ask("GET", "/api/2.0/mlflow/experiments/search?max_results=5")[0] == 200
    assert json.loads(viewer.ask("GET", "/ajax-api/3.0/mlflow/ui-telemetry")[1])["disable_ui_telemetry"] is True
    asked = viewer.ask_graphql(EXPERIMENT)
    with closing(sqlite3.connect(data / "mlflow.db")) as store:
        (name,) = store.execute("select name from experiments where experiment_id = 1").fetchone()
    assert asked["data"]["mlflowGetExperiment"]["experiment"]["name"] == name


def test_both_listen_on_loopback_only_and_start_no_other_process(server: Server, viewer: Server) -> None:
    for each in (server, viewer):
        family = family_of(each.process.pid)
        assert family == {each.process.pid}
        assert listening_addresses(family) == {f"0100007F:{each.port:04X}"}


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_a_browser_shows_experiment_run_and_model_and_asks_nobody_else(
    server: Server, viewer: Server, data: Path
) -> None:
    run, files = _logged_by_a_program(server, data)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(base_url=viewer.own)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path, shown in (
            ("/#/experiments", "shelves"), (f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}", "a run"),
            (f"/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts/page.html", "page.html"),
            ("/#/models/shelf_model", "Version 1"), (f"/#/experiments/{run.info.experiment_id}/traces", "Start tracing"),
        ):  # fmt: skip
            page.goto(path)
            expect(page.get_by_text(shown).first).to_be_visible(timeout=30_000)
        browser.close()
    assert files == ["page.html"]
    assert [url for url in asked if not url.startswith((viewer.own, f"blob:{viewer.own}", "data:"))] == []


def _logged_by_a_program(server: Server, data: Path) -> "tuple[Run, list[str]]":
    """A run with a file and a registered model, made by MLflow's own client over HTTP."""
    from mlflow import MlflowClient

    client = MlflowClient(server.own)
    run = client.create_run(client.create_experiment("shelves"), run_name="a run")
    client.log_metric(run.info.run_id, "log_loss", 0.5)
    client.log_text(run.info.run_id, "<p>logged</p>", "page.html")
    client.create_registered_model("shelf_model")
    client.create_model_version("shelf_model", f"{run.info.artifact_uri}/model", run.info.run_id)
    assert any((data / "mlartifacts").rglob("page.html"))
    return run, [file.path for file in client.list_artifacts(run.info.run_id)]

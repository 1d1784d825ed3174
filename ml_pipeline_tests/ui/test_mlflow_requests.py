import pytest

from ml_pipeline.ui.mlflow_requests import MlflowRequests
from ml_pipeline.ui.request_guard import Request, RequestGuard

EDITOR, VIEWER = MlflowRequests(is_read_only=False), MlflowRequests(is_read_only=True)
API = "/api/2.0/mlflow/"


def status(
    method: str, path: str, rules: MlflowRequests = EDITOR, kind: str = "application/json", query: str = ""
) -> int:
    headers = {"content-type": (kind,)} if method == "POST" else {}
    return rules.judge(Request(method, path, query, headers)).status


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/static-files/js/main.js"), ("GET", "/get-artifact"), ("GET", f"{API}experiments/search"),
     ("HEAD", "/ajax-api/3.0/mlflow/server-info"), ("POST", f"{API}runs/search"), ("POST", "/graphql"),
     ("GET", "/api/2.0/mlflow-artifacts/artifacts/1/x.png"), ("POST", "/ajax-api/3.0/mlflow/traces/search")],
)  # fmt: skip
def test_everybody_reads_experiments_runs_and_models(method: str, path: str) -> None:
    assert (status(method, path), status(method, path, VIEWER)) == (200, 200)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"{API}experiments/create"), ("PATCH", f"{API}registered-models/update"), ("DELETE", f"{API}model-versions/delete"),
     ("POST", f"{API}runs/log-batch"), ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/x.png"),
     ("POST", "/api/2.0/mlflow-artifacts/mpu/create/1/x.png"), ("POST", f"{API}runs/search/more")],
)  # fmt: skip
def test_a_viewer_changes_nothing(method: str, path: str) -> None:
    assert (status(method, path), status(method, path, VIEWER)) == (200, 403)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"{API}webhooks"), ("GET", f"{API}webhooks"), ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
     ("GET", "/ajax-api/3.0/mlflow/assistant/config"), ("GET", f"{API}gateway-proxy"), ("POST", "/v1/traces"),
     ("POST", "/ajax-api/3.0/jobs/"), ("GET", "/gateway/mlflow/v1/models"), ("GET", "/api/9.0/mlflow/runs/get"),
     ("POST", f"{API}traces"), ("POST", "/ajax-api/3.0/mlflow/scorers/register"), ("GET", f"{API}unheard-of"),
     ("GET", f"{API}runs/../webhooks"), ("GET", f"{API}runs//get"), ("GET", f"{API}runs/./get"), ("GET", "//graphql"),
     ("GET", "/static-files/x\n"), ("GET", "/metrics")],
)  # fmt: skip
def test_nothing_else_is_served(method: str, path: str) -> None:
    assert (status(method, path), status(method, path, VIEWER)) == (403, 403)


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "get", "QUERY"])
def test_other_methods_are_not_answered(method: str) -> None:
    assert status(method, f"{API}runs/get") == 405


@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/x-www-form-urlencoded", "application/json, text/plain"]
)
def test_what_a_form_can_send_changes_nothing(kind: str) -> None:
    assert status("POST", f"{API}experiments/create", kind=kind) == 415
    assert status("POST", f"{API}experiments/create", kind="application/json; charset=utf-8") == 200


def test_a_query_comes_in_a_body() -> None:
    assert status("GET", "/graphql") == 405
    assert status("POST", "/graphql", query="query=mutation{x}") == 405
    assert status("POST", "/") == 405


def test_it_has_no_websocket() -> None:
    assert EDITOR.judge(Request("GET", "/graphql", "", {}, is_websocket=True)).status == 403


def test_the_guard_asks_it_after_host_origin_and_site() -> None:
    guard = RequestGuard.on_loopback(5000, rules=VIEWER.judge)
    own = {"host": ("localhost:5000",), "content-type": ("application/json",)}
    assert guard.judge(Request("POST", f"{API}runs/search", "", own)).status == 200
    assert guard.judge(Request("POST", f"{API}runs/delete", "", own)).reason == "this server is read-only"
    assert (
        guard.judge(Request("POST", f"{API}runs/search", "", own | {"origin": ("http://localhost:3000",)})).status
        == 403
    )

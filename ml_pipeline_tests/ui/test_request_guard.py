import pytest

from ml_pipeline.ui.request_guard import HOST_PATTERN, Request, RequestGuard

GUARD = RequestGuard.on_loopback(3000, behind=("ml.example.org", "ml.example.org:8443"))
JSON = {"content-type": ("application/json",)}


def status(method: str = "GET", path: str = "/", query: str = "", *, ws: bool = False, **headers: str) -> int:
    named = {"host": ("127.0.0.1:3000",)} | {name.replace("_", "-"): (text,) for name, text in headers.items()}
    return GUARD.judge(Request(method, path, query, named, is_websocket=ws)).status


def post(**headers: str) -> int:
    return status("POST", "/graphql", content_type="application/json", **headers)


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "LOCALHOST:3000", "[::1]:3000", "ml.example.org"])
def test_it_answers_under_its_own_names(host: str) -> None:
    assert status(host=host) == 200


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.0.0.1:3001", "evil.example", "evil.example:3000", "127.0.0.1.evil.example:3000", "",
     "0.0.0.0:3000", "localhost:3000.evil.example", "localhost:3000 ", "127.0.0.1:3000@evil.example", "ml.example.org:3000"],
)  # fmt: skip
def test_it_answers_under_no_other_name(host: str) -> None:
    assert status(host=host) == 421


def test_no_host_and_two_hosts_are_refused() -> None:
    for hosts in ((), ("127.0.0.1:3000", "127.0.0.1:3000"), ("127.0.0.1:3000", "evil.example")):
        assert GUARD.judge(Request("GET", "/", "", {"host": hosts})).status == 421


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:3000", "http://localhost:3000", "https://ml.example.org", "https://ml.example.org:8443"],
)
def test_its_own_pages_may_post_and_open_websockets(origin: str) -> None:
    assert post(origin=origin, sec_fetch_site="same-origin", sec_fetch_mode="cors") == 200
    assert status(path="/graphql", ws=True, origin=origin, sec_fetch_site="same-origin") == 200
    assert status("GET", "/", origin=origin) == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "https://127.0.0.1:3000", "http://127.0.0.1", "http://127.0.0.1:5000", "file://",
     "http://ml.example.org", "http://127.0.0.1:3000.evil.example", "http://127.0.0.1:3000/", "http://evil.example#127.0.0.1:3000"],
)  # fmt: skip
def test_pages_of_others_may_neither_post_nor_open_websockets(origin: str) -> None:
    assert post(origin=origin) == 403
    assert status("POST", "/report_asset_materialization/scores", origin=origin) == 403
    assert status("GET", "/", origin=origin) == 403
    assert status(path="/graphql", ws=True, origin=origin) == 403


def test_a_program_sends_no_origin_and_a_websocket_must_have_one() -> None:
    assert post() == 200
    assert status(path="/graphql", ws=True) == 403


def test_a_browser_that_names_no_origin_is_no_program() -> None:
    for site in ("same-origin", "none"):
        assert post(sec_fetch_site=site) == 403
        assert post(sec_fetch_site=site, origin="http://127.0.0.1:3000") == 200
    assert status(sec_fetch_site="same-origin") == 200


def test_another_site_may_link_here_and_not_embed_load_or_send() -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert status(path="/assets", **link) == 200
    assert status(path="/assets", **link | {"sec_fetch_dest": "iframe"}) == 403
    assert (
        status(path="/logs/x.out", sec_fetch_site="cross-site", sec_fetch_mode="no-cors", sec_fetch_dest="script")
        == 403
    )
    assert status(path="/", sec_fetch_site="same-site", sec_fetch_mode="no-cors", sec_fetch_dest="image") == 403
    assert status("POST", "/report_asset_check/scores", **link) == 403
    assert status("GET", "/graphql", "query=mutation{x}", **link) == 405
    assert status(path="/graphql", ws=True, origin="http://127.0.0.1:3000", **link) == 403


def test_a_post_may_name_its_operation() -> None:
    assert status("POST", "/graphql", "op=AssetRecordsQuery", content_type="application/json") == 200
    assert status("GET", "/graphql", "op=AssetRecordsQuery") == 405


@pytest.mark.parametrize(
    "query", ["query=mutation{x}", "op=x&query={version}", "op=", "query={version}", "QUERY=x", "variables={}", "x"]
)
def test_no_query_comes_in_an_address(query: str) -> None:
    assert status("GET", "/graphql", query) == 405
    assert status("HEAD", "/graphql", query) == 405
    assert status("POST", "/graphql", query, content_type="application/json") == 405


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/plain; x=application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/graphql", "", "application/json, text/plain"],
)  # fmt: skip
def test_what_a_form_can_send_is_no_query(kind: str) -> None:
    assert status("POST", "/graphql", content_type=kind) == 415
    assert status("POST", "/graphql", content_type="application/json; charset=utf-8") == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get"])
def test_other_methods_are_not_answered(method: str) -> None:
    assert status(method, "/") == 405


@pytest.mark.parametrize("name", ["*", "a b", "http://x.org", "x.org/", "x.org:port", "-x.org", "x.org.", "", "x\ny"])
def test_a_name_that_is_no_host_is_no_setting(name: str) -> None:
    assert HOST_PATTERN.fullmatch(name) is None

import asyncio

from ml_pipeline.ui.middleware import GuardedApplication, Message, Receive, Send
from ml_pipeline.ui.request_guard import RequestGuard

REACHED: list[str] = []


async def application(scope: Message, receive: Receive, send: Send) -> None:
    REACHED.append(scope["type"])
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Security-Policy", b"own")]})
        await send({"type": "http.response.body", "body": b"answer"})


def answers(kind: str, headers: list[tuple[bytes, bytes]], **more: object) -> list[Message]:
    """What a guarded application sends, with one line of what the application itself saw."""
    sent: list[Message] = []
    REACHED.clear()

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    scope = {"type": kind, "path": "/", "headers": headers, **more}
    asyncio.run(GuardedApplication(application, RequestGuard.on_loopback(3000))(scope, receive, send))
    return sent


HOST = (b"Host", b"localhost:3000")


def test_an_allowed_request_reaches_the_application_and_its_answer_cannot_be_framed() -> None:
    start, body = answers("http", [HOST], method="GET", query_string=b"")
    assert (start["status"], body["body"], REACHED) == (200, b"answer", ["http"])
    policies = [text for name, text in start["headers"] if name.lower() == b"content-security-policy"]
    assert policies == [b"own", b"frame-ancestors 'none'"]
    assert (b"x-frame-options", b"DENY") in start["headers"]


def test_what_pages_may_load_is_said_beside_who_may_frame_them() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    guarded = GuardedApplication(application, RequestGuard.on_loopback(3000), "default-src 'self'")
    scope = {"type": "http", "path": "/", "headers": [HOST], "method": "GET", "query_string": b""}
    asyncio.run(guarded(scope, receive, send))
    assert (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'") in sent[0]["headers"]


def test_a_refused_request_does_not_reach_the_application() -> None:
    start, body = answers("http", [(b"host", b"evil.example")], method="GET", query_string=b"")
    assert (start["status"], REACHED) == (421, [])
    assert b"evil.example" in body["body"]


def test_two_headers_of_one_name_are_both_judged() -> None:
    for more in ((b"host", b"evil.example"), (b"sec-fetch-site", b"cross-site")):
        (start, _) = answers("http", [HOST, (b"sec-fetch-site", b"none"), more], method="GET", query_string=b"")
        assert (start["status"] in {403, 421}, REACHED) == (True, [])


def test_a_refused_websocket_is_closed_before_it_is_accepted() -> None:
    (closed,) = answers("websocket", [HOST, (b"origin", b"http://evil.example")])
    assert (closed["type"], closed["code"], REACHED) == ("websocket.close", 1008, [])
    assert answers("websocket", [HOST, (b"origin", b"http://localhost:3000")]) == []
    assert REACHED == ["websocket"]


def test_the_lifespan_is_the_applications_own() -> None:
    assert answers("lifespan", []) == []
    assert REACHED == ["lifespan"]

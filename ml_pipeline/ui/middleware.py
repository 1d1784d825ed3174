"""Puts the guard before a web application (ASGI 3.0), for requests and websockets alike."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ml_pipeline.ui.request_guard import Request, RequestGuard, Verdict

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# No page of another site may frame an answer, load it as a script, or keep a handle on its window.
_HEADERS = [
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]
_POLICY_VIOLATION = 1008
_NEVER_FRAMED = "frame-ancestors 'none'"


class GuardedApplication:
    """``application``, as far as ``guard`` lets requests through; ``policy`` says what its pages may load."""

    def __init__(self, application: Application, guard: RequestGuard, policy: str = "") -> None:
        self._application, self._guard = application, guard
        # Policies add up: the server's own stays.
        self._policy = (b"content-security-policy", "; ".join(filter(None, (policy, _NEVER_FRAMED))).encode())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._application(scope, receive, send)
            return
        verdict = self._guard.judge(_request(scope))
        if not verdict.is_allowed:
            await refuse(scope, send, verdict)
            return
        await self._application(scope, receive, _with_headers(send, self._policy))


def _request(scope: Message) -> Request:
    headers: dict[str, tuple[str, ...]] = {}
    for name, content in scope["headers"]:
        key = name.decode("latin-1").lower()
        headers[key] = (*headers.get(key, ()), content.decode("latin-1"))
    return Request(
        scope.get("method", "GET"), scope["path"], scope.get("query_string", b"").decode("latin-1"), headers,
        is_websocket=scope["type"] == "websocket",
    )  # fmt: skip


async def refuse(scope: Message, send: Send, verdict: Verdict) -> None:
    """Answer with the verdict, in plain text."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": verdict.reason[:100]})
        return
    plain = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": verdict.status, "headers": plain})
    await send({"type": "http.response.body", "body": f"refused: {verdict.reason}\n".encode()})


def _with_headers(send: Send, policy: tuple[bytes, bytes]) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            named = {name.lower() for name, _ in message.get("headers", [])}
            added = [policy, *(header for header in _HEADERS if header[0] not in named)]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return wrapped

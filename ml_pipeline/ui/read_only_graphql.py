"""Lets GraphQL's queries through and its mutations not, by the document itself and not by the name that it goes under."""

import json

from ml_pipeline.ui.middleware import Application, Message, Receive, Send, refuse
from ml_pipeline.ui.request_guard import ALLOWED, Verdict

_MOST_BYTES = 1_000_000


class ReadOnlyGraphql:
    """``application``, with every request for ``/graphql`` read whole and refused unless it only asks."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/graphql":
            await self._application(scope, receive, send)
            return
        body = await _body(receive)
        verdict = judge_document(body)
        if not verdict.is_allowed:
            await refuse(scope, send, verdict)
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._application(scope, replayed, send)


def judge_document(body: bytes) -> Verdict:
    """Whether ``body`` is a JSON object whose ``query`` holds queries, and fragments of them, only."""
    from graphql import FragmentDefinitionNode, GraphQLSyntaxError, OperationDefinitionNode, OperationType, parse

    try:
        asked = json.loads(body) if len(body) <= _MOST_BYTES else None
        document = parse(asked["query"]) if isinstance(asked, dict) and isinstance(asked.get("query"), str) else None
    except (ValueError, RecursionError, GraphQLSyntaxError):
        document = None
    if document is None:
        return Verdict(400, f"no GraphQL document of at most {_MOST_BYTES:,} bytes")
    for part in document.definitions:
        is_query = isinstance(part, OperationDefinitionNode) and part.operation is OperationType.QUERY
        if not is_query and not isinstance(part, FragmentDefinitionNode):
            return Verdict(403, "this server is read-only: it answers queries")
    return ALLOWED


async def _body(receive: Receive) -> bytes:
    """At most one byte more than may come; a client that has gone sends nothing more."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False) or sum(map(len, parts)) > _MOST_BYTES:
            return b"".join(parts)

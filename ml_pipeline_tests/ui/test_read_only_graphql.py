import asyncio
import json

import pytest

from ml_pipeline.ui.middleware import Message, Receive, Send
from ml_pipeline.ui.read_only_graphql import ReadOnlyGraphql, judge_document


def document(text: object) -> bytes:
    return json.dumps({"query": text, "operationName": "a"}).encode()


@pytest.mark.parametrize("text", ["{ x }", "query a { x ...f } fragment f on X { y }", "query a { x } query b { y }"])
def test_queries_pass(text: str) -> None:
    assert judge_document(document(text)).status == 200


@pytest.mark.parametrize(
    "text",
    ["mutation { x }", "mutation a { x }", "query a { x } mutation b { y }", "subscription { x }", "type X { y: Int }",
     "schema { query: X }", "# query\nmutation { x }"],
)  # fmt: skip
def test_whatever_else_a_document_holds_does_not(text: str) -> None:
    assert judge_document(document(text)).status == 403


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"query": 1}', b'{"queries": "{ x }"}', b"\xff", document("{"), document(""),
     document(None), b"[" * 100_000, document("{" * 20_000), b'[{"query": "{ x }"}]', document("{ x }" + " " * 1_000_000)],
)  # fmt: skip
def test_what_cannot_be_read_does_not(body: bytes) -> None:
    assert judge_document(body).status == 400


def served(path: str, *parts: bytes) -> tuple[bytes, list[Message]]:
    """(what the application behind read, what was answered)."""
    waiting = [{"type": "http.request", "body": part, "more_body": n < len(parts)} for n, part in enumerate(parts, 1)]
    seen, sent = bytearray(), list[Message]()

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        is_more = True
        while is_more:
            message = await receive()
            seen.extend(message["body"])
            is_more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(ReadOnlyGraphql(application)({"type": "http", "path": path}, receive, send))
    return bytes(seen), sent


def test_the_application_reads_the_whole_query_that_was_judged() -> None:
    body = document("{ x }")
    seen, (start,) = served("/graphql", body[:5], body[5:])
    assert (seen, start["status"]) == (body, 200)


def test_a_mutation_in_parts_does_not_reach_it() -> None:
    body = document("mutation { x }")
    seen, (start, _) = served("/graphql", body[:15], body[15:])
    assert (seen, start["status"]) == (b"", 403)


def test_an_endless_body_is_not_read_to_its_end() -> None:
    seen, (start, _) = served("/graphql", *[b" " * 600_000] * 9)
    assert (seen, start["status"]) == (b"", 400)


def test_other_paths_are_the_applications_own() -> None:
    assert served("/", b"mutation")[0] == b"mutation"

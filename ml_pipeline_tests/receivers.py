"""Real receivers of alerts on loopback: an HTTP server and a small SMTP server, each with what it was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any


@dataclass
class Posts:
    """What was posted; ``status`` is the answer to the next post."""

    port: int = 0
    status: int = 200
    given: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@dataclass
class Mails:
    """The mails that were taken, with their envelopes; recipients named in ``refused`` are refused."""

    port: int = 0
    refused: set[str] = field(default_factory=set)
    given: list[tuple[str, list[str], Message]] = field(default_factory=list)


@contextmanager
def http_receiver() -> Iterator[Posts]:
    posts = Posts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.given.append((self.path, dict(self.headers), body))
            self.send_response(posts.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Says nothing: a test's output is its own."""

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler), posts):
        yield posts


@contextmanager
def smtp_receiver() -> Iterator[Mails]:
    mails = Mails()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            sender, recipients = "", []
            self.say("220 ready")
            for line in self.rfile:
                word = line.decode().strip()
                if word.upper().startswith("MAIL FROM:"):
                    sender, recipients = word[10:].split(">")[0].strip("<"), []
                elif word.upper().startswith("RCPT TO:"):
                    name = word[8:].split(">")[0].strip("<")
                    if name in mails.refused:
                        self.say("550 no such user")
                        continue
                    recipients.append(name)
                elif word.upper() == "DATA":
                    self.say("354 go on")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    mails.given.append((sender, recipients, message_from_bytes(b"".join(lines), policy=default)))
                elif word.upper() == "QUIT":
                    self.say("221 bye")
                    return
                self.say("250 fine")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with _served(ThreadingTCPServer(("127.0.0.1", 0), Handler), mails):
        yield mails


@contextmanager
def _served(server: Any, what: Any) -> Iterator[None]:
    server.daemon_threads = True
    what.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

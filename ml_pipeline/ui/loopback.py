"""A web server on loopback: its socket, what ends it, and how its application answers."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ml_pipeline.ui.middleware import GuardedApplication

LOOPBACK = "127.0.0.1"


class PortTakenError(OSError):
    """Another program listens on the port."""


@contextmanager
def bound_socket(port: int) -> Iterator[socket.socket]:
    """A socket on ``port`` of loopback, bound and not yet listening; 0 lets the system choose the port.

    Raises:
        PortTakenError: nothing was bound.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, port))
        except OSError as error:
            raise PortTakenError(f"port {port} of {LOOPBACK} cannot be used ({error}); choose another one") from error
        yield bound


def interrupt_on_termination() -> None:
    # A shell starts background jobs with interrupts ignored; the server would then end by SIGKILL only.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def answer(application: GuardedApplication, bound: socket.socket, *, has_lifespan: bool = True) -> None:
    """Answer on ``bound``, which listens already, until interrupted."""
    import uvicorn

    # Headers that say for whom a proxy asks are not believed: anybody can send them.
    config = uvicorn.Config(
        application, log_level="warning", proxy_headers=False, server_header=False,
        lifespan="auto" if has_lifespan else "off",
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[bound])

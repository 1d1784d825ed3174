import signal
import socket

import pytest

from ml_pipeline.ui.loopback import PortTakenError, bound_socket, interrupt_on_termination


def test_a_port_of_loopback_is_bound_and_freed() -> None:
    with bound_socket(0) as bound:
        host, port = bound.getsockname()
        assert (host, port > 0) == ("127.0.0.1", True)
        bound.listen()
        with pytest.raises(PortTakenError, match=f"port {port} of 127.0.0.1 cannot be used"), bound_socket(port):
            pytest.fail("two servers on one port")
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


def test_termination_is_an_interrupt() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        interrupt_on_termination()
        for number in (signal.SIGINT, signal.SIGTERM):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)

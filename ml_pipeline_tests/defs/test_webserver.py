import os
import socket
from pathlib import Path

import pytest

from ml_pipeline.defs.webserver import _daemon, serve
from ml_pipeline.io.locks import take_lock
from ml_pipeline.operations.site import Site
from ml_pipeline.ui.loopback import PortTakenError


def test_a_port_that_is_taken_is_named_before_anything_is_started() -> None:
    said: list[str] = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} of 127.0.0.1 cannot be used"):
            serve(port=port, is_read_only=False, has_daemon=True, say=said.append)
    assert said == []


def test_a_daemon_that_outlived_its_server_is_joined(shop_site: Site, tmp_path: Path) -> None:
    said: list[str] = []
    held = take_lock(shop_site.lock_file("daemon"))
    assert held is not None
    with _daemon(shop_site, tmp_path, said.append):
        assert [line for line in said if "joins it" in line] == said != []
    os.close(held)
    free = take_lock(shop_site.lock_file("daemon"))
    assert free is not None
    os.close(free)

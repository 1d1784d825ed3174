import socket

import pytest

from ml_pipeline.defs import mlflow_server
from ml_pipeline.defs.mlflow_server import ServedElsewhereError, serve_mlflow
from ml_pipeline.settings import Settings
from ml_pipeline.ui.loopback import PortTakenError


def test_a_store_that_is_a_server_has_pages_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    monkeypatch.setattr(mlflow_server, "settings", Settings)
    with pytest.raises(ServedElsewhereError, match=r"the server https://mlflow\.example\.org"):
        serve_mlflow(port=0, is_read_only=False, say=print)


def test_a_port_that_is_taken_is_named_before_anything_is_started() -> None:
    said: list[str] = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTakenError, match="choose another one"):
            serve_mlflow(port=other.getsockname()[1], is_read_only=True, say=said.append)
    assert said == []

import socket

import pytest
from click.testing import CliRunner

from ml_pipeline.cli.main import main


@pytest.mark.parametrize("command", ["ui", "mlflow-ui"])
def test_a_taken_port_is_one_line_and_no_traceback(command: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        result = CliRunner().invoke(main, [command, "--port", str(other.getsockname()[1])])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "choose another one" in result.output


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    assert CliRunner().invoke(main, ["ui", "--port", port]).exit_code == 2

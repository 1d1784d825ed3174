"""``ml-pipeline ui`` and ``mlflow-ui`` as a shell starts them, and how their own pages ask them."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

from ml_pipeline_tests.listening import family_of
from ml_pipeline_tests.processes import ROOT

RUNS = "{ runsOrError { ... on Runs { count } } }"
JSON = {"Content-Type": "application/json"}


class Server:
    """A real server that ``ml-pipeline`` started, on a port of its own choice."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port, self.own = process, port, f"http://127.0.0.1:{port}"

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        """Status and text of the answer; ``Host`` may be given."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, {"Host": f"127.0.0.1:{self.port}"} | named)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def graphql(self, query: str, **headers: str) -> dict:
        status, text = self.ask("POST", "/graphql", json.dumps({"query": query}), **JSON, **headers)
        assert status == 200, text
        return json.loads(text)["data"]

    def ask_graphql(self, query: str, **variables: object) -> dict:
        """The whole answer, errors included."""
        _, text = self.ask("POST", "/graphql", json.dumps({"query": query, "variables": variables}), **JSON)
        return dict(json.loads(text))

    def kill_tree(self) -> None:
        """SIGKILL to every process of it at once, as a loss of power is."""
        family = family_of(self.process.pid)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        while any(Path(f"/proc/{pid}").exists() and "Z" not in _state(pid) for pid in family):
            time.sleep(0.05)

    def runs(self) -> int:
        return int(self.graphql(RUNS)["runsOrError"]["count"])


def start(project: Path, data: Path, *options: str, command: str = "ui") -> Server:
    environment = os.environ | {
        "ML_PIPELINE_PROJECT": str(project),
        "ML_PIPELINE_DATA": str(data),
        "PYTHONUNBUFFERED": "1",
    }
    words = [sys.executable, "-m", "ml_pipeline.cli", command, "--port", "0", *options]
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=(data / "server.log").open("a")
    )
    assert process.stdout is not None
    for line in process.stdout:
        if told := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            return Server(process, int(told[1]))
    raise AssertionError((data / "server.log").read_text())


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return "Z"

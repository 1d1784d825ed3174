import subprocess
import sys
from pathlib import Path

import pytest

from ml_pipeline.ui.mlflow_application import mlflow_application

CHECK = """
import os, sys
from pathlib import Path
os.environ |= {"MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "true",
               "_MLFLOW_STATIC_PREFIX": "/elsewhere"}
from ml_pipeline.ui.mlflow_application import mlflow_application
data = Path(sys.argv[1])
app = mlflow_application(f"sqlite:///{data / 'mlflow.db'}", data / "mlartifacts", hosts=["own:1"], origins=["http://own:1"])
from mlflow.environment_variables import MLFLOW_SERVER_ENABLE_JOB_EXECUTION
from starlette.testclient import TestClient
client = TestClient(app, base_url="http://own:1")
path = "/api/2.0/mlflow/experiments/create"
print(client.get("/health").status_code, client.get(path, headers={"Host": "evil.example"}).status_code,
      client.post(path, json={"name": "x"}, headers={"Origin": "http://evil.example"}).status_code,
      client.post(path, json={"name": "x"}).status_code, MLFLOW_SERVER_ENABLE_JOB_EXECUTION.get())
"""


def test_mlflows_own_checks_stay_on_and_its_jobs_off_whatever_the_environment_says(
    mlflow_template: Path, tmp_path: Path
) -> None:
    (tmp_path / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    done = subprocess.run([sys.executable, "-c", CHECK, str(tmp_path)], text=True, capture_output=True, check=False)
    assert done.stdout.split() == ["200", "403", "403", "200", "False"], done.stderr


def test_one_that_was_imported_with_other_settings_is_not_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.server", sys)
    with pytest.raises(RuntimeError, match="process of its own"):
        mlflow_application("sqlite://", tmp_path, hosts=(), origins=())

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.conftest import SHOP_SCORED

# In a folder of its own and without the repository on its path: what somebody else has.
SERVE = """
import json, sys, warnings
warnings.simplefilter("ignore")
sys.path = [path for path in sys.path if path != sys.argv[3]]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in str(finder)]
import mlflow, pandas, pyarrow.parquet as pq
model = mlflow.pyfunc.load_model(sys.argv[1])
import ml_pipeline
rows = pq.read_table(sys.argv[2]).to_pandas()
print(json.dumps({
    "package": ml_pipeline.__path__[0],
    "inputs": model.metadata.signature.inputs.input_names(),
    "example": len(model.predict(model.input_example)),
    "none": len(model.predict(rows[:0])),
    "probabilities": [value.hex() for value in model.predict(rows).tolist()],
}))
"""


def serve(uri: str, rows: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    environment.pop("PYTHONPATH", None)
    repository = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", SERVE, uri, str(rows), repository], cwd=folder, env=environment, capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip


@pytest.fixture
def registered(scored_shop: Site, tmp_path: Path) -> Path:
    """A copy of the folder of the champion that MLflow loads, away from the data root."""
    client = MlflowClient(tracking_uri=scored_shop.tracking_uri, registry_uri=scored_shop.tracking_uri)
    version = client.get_model_version_by_alias(scored_shop.project.name, "champion")
    return Path(shutil.copytree(version.source.removeprefix("file://"), tmp_path / "registered"))


@pytest.fixture
def features(scored_shop: Site, tmp_path: Path) -> Path:
    """Feature rows of the scored nights, in the order of the scores."""
    rows = scored_shop.tables.read(features_table(scored_shop.sql), SHOP_SCORED)
    pq.write_table(rows.sort_by([("score_date", "ascending"), ("order_id", "ascending")]), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def test_others_get_the_published_probabilities_bit_for_bit_without_our_code_and_without_pickle(
    scored_shop: Site, registered: Path, features: Path, tmp_path: Path
) -> None:
    kinds = {path.suffix for path in registered.rglob("*") if path.is_file()}
    assert kinds <= {".txt", ".json", ".parquet", ".md", ".html", ".sql", ".yml", ".yaml", ".py", ""}
    assert not any(path.read_bytes().startswith(b"\x80") for path in registered.rglob("*") if path.is_file())
    done = serve(str(registered), features, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    scores = scored_shop.tables.read(SCORES, SHOP_SCORED)
    scores = scores.sort_by([("score_date", "ascending"), ("order_id", "ascending")])
    published = scores.column("probability").to_numpy().astype(np.float64)
    assert found["probabilities"] == [float(value).hex() for value in published]
    assert len(published) == 320
    assert Path(found["package"]).is_relative_to(registered)
    assert found["inputs"] == [feature.name for feature in scored_shop.sql.features]
    assert (found["example"], found["none"]) == (5, 0)


def test_a_registered_bundle_that_was_changed_does_not_serve(
    scored_shop: Site, registered: Path, features: Path, tmp_path: Path
) -> None:
    path = registered / "artifacts" / str(current_champion(scored_shop)) / "calibrator.json"
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    done = serve(str(registered), features, tmp_path)
    assert done.returncode != 0
    assert "BundleError" in done.stderr
    assert "calibrator.json was changed" in done.stderr

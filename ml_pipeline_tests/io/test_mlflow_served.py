from pathlib import Path

import mlflow
import numpy as np
import pyarrow as pa

from ml_pipeline.io.mlflow_served import served_model

TYPES = {"city": "string", "rate": "double"}
EXAMPLE = pa.table({"rate": pa.array([0.5, None], pa.float32()), "city": ["a", None], "other": [1, 2]})


def test_a_bundle_becomes_a_folder_that_mlflow_describes_and_that_is_gone_afterwards(tmp_path: Path) -> None:
    bundle = tmp_path / "2024-05-05-aaaa"
    (bundle / "feature_set").mkdir(parents=True)
    (bundle / "feature_set" / "project.yml").write_text("name: x")
    with served_model(
        bundle, script="operations/served_model.py", code=["__init__.py", "nights.py"], types=TYPES, example=EXAMPLE
    ) as model:  # fmt: skip
        names = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}
        info = mlflow.models.get_model_info(str(model))
        example = mlflow.models.Model.load(str(model)).load_input_example(str(model))
    assert not model.exists()
    assert {
        "MLmodel", "served_model.py", "input_example.json", "code/ml_pipeline/__init__.py",
        "code/ml_pipeline/nights.py", "artifacts/2024-05-05-aaaa/feature_set/project.yml",
    } <= names  # fmt: skip
    assert not {name for name in names if name.endswith((".pkl", ".pickle"))}
    assert [(column.name, column.type.name) for column in info.signature.inputs] == [
        ("city", "string"),
        ("rate", "double"),
    ]
    assert list(example.columns) == ["city", "rate"]
    assert example["rate"][0] == 0.5
    assert np.isnan(example["rate"][1])

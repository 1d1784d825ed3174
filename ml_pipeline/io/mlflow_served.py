"""Writes a bundle as an MLflow model that others can load: a script, the code that it imports, and the bundle."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

_PACKAGE = Path(__file__).parents[1]
# What an environment that serves the model needs; asking MLflow to find out costs ten seconds.
_REQUIREMENTS = ("lightgbm", "mlflow", "numpy", "pandas", "pyarrow", "pydantic", "PyYAML")


@contextmanager
def served_model(
    bundle: Path, *, script: str, code: Sequence[str], types: Mapping[str, str], example: pa.Table
) -> Iterator[Path]:
    """A folder, for the length of the block, that MLflow loads without unpickling anything.

    Args:
        bundle: folder of the bundle; it is copied whole, under its own name.
        script: the module that MLflow runs, by its path inside of the package.
        code: globs inside of the package of what the script imports, itself left out.
        types: MLflow's type by feature, in the order of the features.
        example: some rows with these features.
    """
    from mlflow.models.signature import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import ColSpec, DataType, Schema

    # A bar for every file that is copied would fill the log of the run.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    inputs = [ColSpec(DataType[kind], name, required=True) for name, kind in types.items()]
    with tempfile.TemporaryDirectory(prefix="served_model_") as scratch:
        package = Path(scratch) / "code" / _PACKAGE.name
        _copy_code(package, code)
        # MLflow asks for type hints, from which it would make a signature of its own beside the one that is given.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*type hint", category=UserWarning)
            save_model(
                str(Path(scratch) / "model"),
                python_model=str(_PACKAGE / script),
                code_paths=[str(package)],
                artifacts={"bundle": str(bundle)},
                signature=ModelSignature(Schema(inputs), Schema([ColSpec(DataType.double)])),
                input_example=_frame(example, types),
                pip_requirements=[f"{name}=={version(name)}" for name in _REQUIREMENTS],
            )
        yield Path(scratch) / "model"


def _copy_code(package: Path, code: Sequence[str]) -> None:
    for source in sorted({path for pattern in code for path in _PACKAGE.glob(pattern)}):
        target = package / source.relative_to(_PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _frame(rows: pa.Table, types: Mapping[str, str]) -> Any:
    columns = [
        rows.column(name).cast(pa.string() if kind == "string" else pa.float64()) for name, kind in types.items()
    ]
    return pa.table(columns, names=list(types)).to_pandas()

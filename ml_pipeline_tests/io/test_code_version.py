import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from ml_pipeline.io.code_version import code_version, engine_version, package_versions
from ml_pipeline_tests.processes import ROOT, run_python

PRINT = """
import sys
sys.path.insert(0, sys.argv[1])
from ml_pipeline.io.code_version import code_version
import ml_pipeline
assert ml_pipeline.__path__[0].startswith(sys.argv[1])
print(code_version())
"""
PRINT_ENGINE = PRINT.replace("code_version()", "engine_version()").replace(
    "import code_version", "import engine_version"
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "ml_pipeline", tmp_path / "ml_pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def change(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\nCHANGED = True\n", encoding="utf-8")


def test_the_same_source_has_the_same_version_wherever_it_lies(copy: Path) -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", code_version())
    assert run_python(PRINT, str(copy)) == code_version()


@pytest.mark.parametrize(
    "name",
    ["nights.py", "domain/training.py", "domain/feature_matrix.py", "contracts/rows.py", "operations/train.py",
     "operations/training_rows.py", "operations/bundle_contents.py", "operations/split_report.py", "io/gated_runner.py",
     "io/gate.py", "io/landing_models.py"],
)  # fmt: skip
def test_whatever_code_can_change_a_model_changes_the_version(copy: Path, name: str) -> None:
    before = run_python(PRINT, str(copy))
    change(copy / "ml_pipeline" / name)
    assert run_python(PRINT, str(copy)) != before


@pytest.mark.parametrize("name", ["cli/main.py", "defs/jobs.py", "io/plots.py", "io/alerts.py"])
def test_code_that_cannot_change_a_model_does_not_change_the_version(copy: Path, name: str) -> None:
    before = run_python(PRINT, str(copy))
    change(copy / "ml_pipeline" / name)
    assert run_python(PRINT, str(copy)) == before


@pytest.mark.parametrize(
    ("name", "is_engine"),
    [("io/gated_runner.py", True), ("io/gate.py", True), ("io/landing_models.py", True), ("nights.py", True), ("cli/main.py", False)],
)  # fmt: skip
def test_whatever_code_runs_the_sql_is_the_engine(copy: Path, name: str, is_engine: bool) -> None:
    assert run_python(PRINT_ENGINE, str(copy)) == engine_version()
    change(copy / "ml_pipeline" / name)
    assert (run_python(PRINT_ENGINE, str(copy)) != engine_version()) == is_engine
    assert engine_version().endswith(version("duckdb"))


def test_the_packages_that_can_change_a_model_are_named_with_their_versions() -> None:
    versions = package_versions()
    assert {"lightgbm", "numpy", "duckdb", "scikit-learn", "pyarrow"} <= set(versions)
    assert all(versions[name] == version(name) for name in versions)

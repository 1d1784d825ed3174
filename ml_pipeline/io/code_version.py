"""A hash of the code that can change a model, and the versions of the packages that can."""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

# What turns landed rows into a bundle; orchestration, plots and alerts cannot change one.
_SOURCES = (
    "nights.py", "contracts/*.py", "domain/*.py", "io/gate.py", "io/gated_runner.py", "io/landing_models.py",
    "io/model_bundle.py", "io/sql_template.py", "operations/build.py", "operations/bundle_contents.py",
    "operations/bundle_scorer.py", "operations/split_report.py", "operations/recalibrate.py", "operations/train.py",
    "operations/training_rows.py", "operations/tune.py", "operations/tuned_training.py",
)  # fmt: skip
# What turns landed rows and SQL into a built table.
_ENGINE = ("nights.py", "io/gate.py", "io/gated_runner.py", "io/landing_models.py", "io/sql_template.py")
_PACKAGES = ("duckdb", "lightgbm", "numpy", "pyarrow", "scikit-learn")


@cache
def code_version() -> str:
    """Twelve hex digits; the same source files give the same answer wherever they lie."""
    return _hash_of(_SOURCES)


@cache
def engine_version() -> str:
    """The same for what runs the SQL, with DuckDB's own version: a repaired engine must not leave old tables standing."""
    return f"{_hash_of(_ENGINE)}-{version('duckdb')}"


def _hash_of(patterns: Sequence[str]) -> str:
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in package.glob(pattern)):
        digest.update(f"{path.relative_to(package)}:".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def package_versions() -> dict[str, str]:
    """Installed version by package name."""
    return {name: version(name) for name in _PACKAGES}

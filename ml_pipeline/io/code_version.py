"""A hash of the code that can change a model, and the versions of the packages that can."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

_ROOMS = ("contracts", "domain")
_PACKAGES = ("duckdb", "lightgbm", "numpy", "pyarrow", "scikit-learn")


@cache
def code_version() -> str:
    """Twelve hex digits; the same source files give the same answer wherever they lie."""
    package = Path(__file__).parent.parent
    paths = sorted(path for room in _ROOMS for path in (package / room).glob("*.py"))
    digest = hashlib.sha256()
    for path in [package / "nights.py", *paths]:
        digest.update(f"{path.relative_to(package)}:".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def package_versions() -> dict[str, str]:
    """Installed version by package name."""
    return {name: version(name) for name in _PACKAGES}

"""Reads YAML so that a mistake names its file."""

from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path) -> Any:
    """Content of ``path``.

    Raises:
        ValueError: it is no YAML; names file, line and column.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: cannot be read as YAML: {error}") from error

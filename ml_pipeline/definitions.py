"""The front door of the code location: everything below ``defs/``, nothing else."""

from functools import cache
from pathlib import Path

import dagster as dg


@dg.definitions
def definitions() -> dg.Definitions:
    return _loaded()


# One ``dagster job execute`` asks five times. A code location that is reloaded is a new process.
@cache
def _loaded() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)

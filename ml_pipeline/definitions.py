"""The front door of the code location: everything below ``defs/``, nothing else."""

import gc
from functools import cache
from pathlib import Path

import dagster as dg

# Packages make a million objects that stay. Looking at all of them for garbage every 700 takes a tenth of a run's work.
gc.set_threshold(50_000, 20, 20)


@dg.definitions
def definitions() -> dg.Definitions:
    return _loaded()


# One ``dagster job execute`` asks five times. A code location that is reloaded is a new process.
@cache
def _loaded() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)

"""The front door of the code location: everything below ``defs/``, nothing else."""

import gc
from functools import cache

import dagster as dg

from ml_pipeline.defs.loading import code_location

# Packages make a million objects that stay. Looking at all of them for garbage every 700 takes a tenth of a run's work.
gc.set_threshold(50_000, 20, 20)


@dg.definitions
def definitions() -> dg.Definitions:
    return _loaded()


# One ``dagster job execute`` asks five times. A code location that is reloaded is a new process.
@cache
def _loaded() -> dg.Definitions:
    return code_location()

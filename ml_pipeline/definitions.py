"""The front door of the code location: everything below ``defs/``, nothing else."""

import dagster as dg

from ml_pipeline.defs.loading import code_location


@dg.definitions
def definitions() -> dg.Definitions:
    return code_location()

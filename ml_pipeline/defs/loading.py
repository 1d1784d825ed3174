"""The whole code location: everything below this folder, and what is said of every asset alike."""

from pathlib import Path

import dagster as dg

from ml_pipeline.defs.budgets import budget_checks


def code_location() -> dg.Definitions:
    """Every asset, job, schedule, sensor and check; each asset with the check of its budget."""
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent.parent)
    keys = [key for assets in loaded.assets or () if isinstance(assets, dg.AssetsDefinition) for key in assets.keys]
    return dg.Definitions.merge(loaded, dg.Definitions(asset_checks=[budget_checks(sorted(keys))]))

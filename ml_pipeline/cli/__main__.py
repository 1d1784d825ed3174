"""``python -m ml_pipeline.cli``."""

from ml_pipeline.cli.main import entry

entry()
